-- Grain: `suggestion`: one row a suggested pair.
-- Purpose: Once, after both phases, over all that is unmatched: equal amount and currency, and each is the other's only
-- paid or refunded candidate within the date tolerance. Only a suggestion, unless suggestions are accepted: then they
-- are made before what is wrong is worked out, else after it, from what was found unmatched. Records are counted by day
-- first, since many may have one amount.
-- Reads: findings, policy, taken_txn, taken_unit, txn, unit, usable_entry, usable_transaction
-- Makes: lone, suggestion, taken_txn, taken_unit

create temp view lone as
select 'kspay' as side, number, app_id, currency, amount, business_on
from txn
cross join policy
where
    policy.accept_suggestions and family in ('paid', 'refunded')
    and not exists (select from taken_txn where taken_txn.transaction_rank = txn.transaction_rank)
union all
select 'ledger', number, app_id, currency, amount, business_on
from unit
cross join policy
where
    policy.accept_suggestions and family in ('paid', 'refunded')
    and not exists (select from taken_unit where taken_unit.entry_rank = unit.entry_rank)
union all
select 'kspay', number, app_id, currency, amount, business_on
from usable_transaction
where number = any(array(
        select number
        from findings
        where
            not (select accept_suggestions from policy) and side = 'kspay' and match_no is null
            and kind in ('MISSING_IN_LEDGER', 'DUPLICATE_IN_KSPAY')
    ))
union all
select 'ledger', number, app_id, currency, amount, business_on
from usable_entry
where number = any(array(
        select number
        from findings
        where
            not (select accept_suggestions from policy) and side = 'ledger'
            and kind in ('MISSING_IN_KSPAY', 'DUPLICATE_IN_LEDGER')
    ));

create temp table suggestion on commit drop as
with day as (
    select side, app_id, currency, amount, business_on, count(*) as records, min(number) as number
    from lone
    group by side, app_id, currency, amount, business_on
),

near as (
    select
        kspay.number as transaction_no,
        ledger.number as entry_no,
        kspay.records as transactions,
        ledger.records as entries,
        sum(ledger.records) over (partition by app_id, currency, amount, kspay.business_on) as of_transaction,
        sum(kspay.records) over (partition by app_id, currency, amount, ledger.business_on) as of_entry
    from day as kspay
    inner join day as ledger using (app_id, currency, amount)
    cross join policy
    where
        kspay.side = 'kspay' and ledger.side = 'ledger'
        and abs(kspay.business_on - ledger.business_on) <= policy.date_tolerance_days
)

select transaction_no, entry_no
from near
where transactions = 1 and entries = 1 and of_transaction = 1 and of_entry = 1;

insert into taken_txn
select txn.transaction_rank, txn.transaction_rank, 'amount_date'
from suggestion
inner join txn on txn.number = suggestion.transaction_no
cross join policy
where policy.accept_suggestions;

insert into taken_unit
select unit.entry_rank, txn.transaction_rank, 'amount_date'
from suggestion
inner join txn on txn.number = suggestion.transaction_no
inner join unit on unit.number = suggestion.entry_no
cross join policy
where policy.accept_suggestions;
