-- Grain: one row a suggested pair.
-- Purpose: Once, after both phases, over all that is unmatched: equal amount and currency, and each is the other's only
-- paid or refunded candidate within the date tolerance. Only a suggestion, unless suggestions are accepted. Records are
-- counted by day first, since many may have one amount.
-- Reads: lone, policy
-- Makes: suggestion

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
