-- Grain: one row a record that may be suggested.
-- Purpose: Where suggestions are only shown: what was found unmatched, and is still as it was then.
-- Reads: findings, usable_entry, usable_transaction
-- Makes: lone

create temp view lone as
select 'kspay' as side, number, app_id, currency, amount, fee, business_on
from usable_transaction
where number = any(array(
        select number
        from findings
        where
            side = 'kspay' and match_no is null
            and kind in ('MISSING_IN_LEDGER', 'DUPLICATE_IN_KSPAY')
    ))
union all
select 'ledger', number, app_id, currency, amount, null, business_on
from usable_entry
where number = any(array(
        select number
        from findings
        where side = 'ledger' and kind in ('MISSING_IN_KSPAY', 'DUPLICATE_IN_LEDGER')
    ));
