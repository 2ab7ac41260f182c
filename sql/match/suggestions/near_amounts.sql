-- Grain: one row a pair.
-- Purpose: Within the date tolerance, and the amount is another one in a way that people make: within the tolerance,
-- two digits that stand beside each other swapped, a hundred times as much or a hundredth. Amounts are joined as they
-- would then be written; those within the tolerance by steps that are as wide as it.
-- Reads: lone_entry, lone_transaction, policy
-- Makes: hint

insert into hint
with payment as (
    select
        number,
        app_id,
        currency,
        business_on,
        span,
        amount as booked,
        tolerance_fixed,
        tolerance_percent
    from lone_transaction
    where of_day <= 2
    union all
    select number, app_id, currency, business_on, span, amount - fee, tolerance_fixed, tolerance_percent
    from lone_transaction
    where of_day <= 2 and amount > fee
),

entry_beside as (
    select
        number,
        app_id,
        currency,
        business_on,
        lone_entry.span + beside as span,
        amount,
        tolerance_fixed,
        tolerance_percent
    from lone_entry
    cross join generate_series(-1, 1) as beside
    where of_day <= 2
),

digit as (
    select
        payment.*,
        cast(trim_scale(booked) as text) as digits
    from payment
),

swapped as (
    select
        number,
        app_id,
        currency,
        business_on,
        span,
        booked,
        cast(
            left(digits, place - 1) || substr(digits, place + 1, 1) || substr(digits, place, 1)
            || substr(digits, place + 2) as numeric
        ) as amount
    from digit
    cross join generate_series(1, length(digits) - 1) as place
    where substr(digits, place, 2) ~ '^[0-9]{2}$'
),

written as (
    select number as transaction_no, app_id, currency, business_on, span, 'hundredfold' as kind, 6 as confidence, amount
    from payment
    cross join lateral (values (booked * 100), (booked / 100)) as changed (amount)
    union
    select number, app_id, currency, business_on, span, 'digits', 5, amount
    from swapped
    where amount <> booked
),

step as (
    select
        'kspay' as side,
        number,
        app_id,
        currency,
        span,
        floor(
            case
                when tolerance_percent > 0 then ln(booked) / ln(1 + tolerance_percent * 0.011)
                else booked / tolerance_fixed
            end
        ) as place
    from payment
    where (tolerance_percent > 0 or tolerance_fixed > 0) and booked > 0
    union
    select
        'ledger',
        number,
        app_id,
        currency,
        span,
        floor(
            case
                when tolerance_percent > 0 then ln(amount) / ln(1 + tolerance_percent * 0.011)
                else amount / tolerance_fixed
            end
        ) + beside
    from entry_beside
    cross join generate_series(-1, 1) as beside
    where tolerance_percent > 0 or tolerance_fixed > 0
),

tolerated as (
    select distinct
        kspay.number as transaction_no,
        ledger.number as entry_no
    from step as kspay
    inner join step as ledger using (app_id, currency, span, place)
    where kspay.side = 'kspay' and ledger.side = 'ledger'
),

near as (
    select
        written.transaction_no,
        booked.number as entry_no,
        written.kind,
        written.confidence
    from written
    inner join entry_beside as booked using (app_id, currency, span, amount)
    cross join policy
    where abs(booked.business_on - written.business_on) <= policy.date_tolerance_days
    union
    select
        kspay.number,
        booked.number,
        'tolerance',
        4
    from tolerated
    inner join lone_transaction as kspay on kspay.number = tolerated.transaction_no
    inner join lone_entry as booked on booked.number = tolerated.entry_no
    cross join policy
    where
        abs(booked.business_on - kspay.business_on) <= policy.date_tolerance_days
        and amount_apart(kspay.amount, kspay.fee, booked.amount)
        between 0.000000000000000001 and tolerance_of(kspay.tolerance_fixed, kspay.tolerance_percent, kspay.amount)
)

select transaction_no, entry_no, kind, confidence
from near;
