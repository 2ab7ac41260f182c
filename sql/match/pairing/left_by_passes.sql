-- Grain: one row a record that may be suggested.
-- Purpose: Where suggestions are accepted: what the passes left free, before what is wrong is worked out.
-- Reads: taken_txn, taken_unit, txn, unit
-- Makes: lone

create temp view lone as
select 'kspay' as side, number, app_id, currency, amount, fee, business_on
from txn
where
    family in ('paid', 'refunded')
    and not exists (select from taken_txn where taken_txn.transaction_rank = txn.transaction_rank)
union all
select 'ledger', number, app_id, currency, amount, null, business_on
from unit
where
    family in ('paid', 'refunded')
    and not exists (select from taken_unit where taken_unit.entry_rank = unit.entry_rank);
