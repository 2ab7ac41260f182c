-- Grain: one row a suggested pair.
-- Purpose: Once, after both phases, over all that is unmatched: equal amount (or the amount less the expected fee) and
-- currency, and each is the other's only paid or refunded candidate within the date tolerance. Only a suggestion,
-- unless suggestions are accepted. Records are counted by day first, since many may have one amount.
-- Reads: lone, policy
-- Makes: suggestion

create temp table suggestion on commit drop as
with day as (
    select side, app_id, currency, amount, fee, business_on, count(*) as records, min(number) as number
    from lone
    group by side, app_id, currency, amount, fee, business_on
),

-- What an entry may book of a payment: a fee is never nothing, so both are never the same.
payment as (
    select *, amount as booked
    from day
    where side = 'kspay'
    union all
    select *, amount - fee
    from day
    where side = 'kspay' and fee is not null
),

near as (
    select
        kspay.number as transaction_no,
        ledger.number as entry_no,
        kspay.records as transactions,
        ledger.records as entries,
        sum(ledger.records) over (
            partition by app_id, currency, kspay.amount, kspay.fee, kspay.business_on
        ) as of_transaction,
        sum(kspay.records) over (partition by app_id, currency, ledger.amount, ledger.business_on) as of_entry
    from payment as kspay
    inner join day as ledger using (app_id, currency)
    cross join policy
    where
        ledger.side = 'ledger' and ledger.amount = kspay.booked
        and abs(kspay.business_on - ledger.business_on) <= policy.date_tolerance_days
)

select transaction_no, entry_no, null::text as kind  -- further suggestions say why (match/suggestions)
from near
where transactions = 1 and entries = 1 and of_transaction = 1 and of_entry = 1;
