-- Grain: one row a payment method, currency, amount and what the ledger books less of it, with the number of such
-- matches of the period; and one a payment method and currency with the number of all its matched transactions
-- (`amount` null).
-- Purpose: What an agreement about fees may be guessed from: matches of one transaction and one entry with an
-- AMOUNT_MISMATCH. Looks at nothing else, and at nothing at all where there are fewer than `few`.
-- Reads: asked, involved, reported, shown_entry, shown_transaction, tally
-- Makes: none

with differing as materialized (
    select found_no
    from reported
    where type = 'AMOUNT_MISMATCH' and (select count(*) from reported where type = 'AMOUNT_MISMATCH') >= :few
),

one_and_one as (
    select
        min(number) filter (where side = 'kspay') as transaction_no,
        min(number) filter (where side = 'ledger') as entry_no
    from involved
    where found_no in (select found_no from differing)
    group by found_no
    having count(*) = 2
),

booked_less as (
    select
        kspay.payment_type,
        kspay.currency,
        kspay.amount,
        kspay.amount - held.amount as kept
    from one_and_one
    inner join shown_transaction as kspay on kspay.number = one_and_one.transaction_no
    inner join shown_entry as held on held.number = one_and_one.entry_no
    cross join asked
    where
        held.amount > 0 and held.amount < kspay.amount
        and kspay.business_on between asked.period_first and asked.period_last
)

select
    payment_type as payment_method,
    currency,
    amount,
    kept,
    count(*) as matches
from booked_less
group by payment_type, currency, amount, kept
union all
select payment_type, currency, null, null, sum(records)::bigint
from tally
where scope = 'period' and side = 'kspay' and rule is not null and exists (select from differing)
group by payment_type, currency
