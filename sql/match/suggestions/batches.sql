-- Grain: one row a transaction of a suggested batch.
-- Purpose: All that is left of a day, or of a payment method on it, adds up to one entry, with or without the fees: a
-- payout that is booked as one. The entry must be the only one that a batch adds up to, and the batch the only one for
-- it. It is suggested at the entry alone.
-- Reads: lone_entry, lone_transaction, policy, refused_pair, suggestion
-- Makes: suggestion

insert into suggestion (transaction_no, entry_no, kind)
with batch as (
    select
        app_id,
        currency,
        business_on,
        min(span) as span,
        sum(amount) as amount,
        sum(amount) - coalesce(sum(fee), 0) as net,
        array_agg(number order by number) as members
    from lone_transaction
    where number not in (select transaction_no from suggestion)
    group by grouping sets ((app_id, currency, business_on), (app_id, currency, business_on, payment_type))
    having count(*) > 1
),

sum_of_batch as (
    select app_id, currency, business_on, span, amount, members
    from batch
    union
    select app_id, currency, business_on, span, net, members
    from batch
),

entry_beside as (
    select number, app_id, currency, business_on, lone_entry.span + beside as span, amount
    from lone_entry
    cross join generate_series(-1, 1) as beside
    where of_day <= 2
),

fitting as (
    select distinct booked.number as entry_no, sum_of_batch.members
    from sum_of_batch
    inner join entry_beside as booked using (app_id, currency, span, amount)
    cross join policy
    where
        booked.number not in (select entry_no from suggestion)
        and abs(booked.business_on - sum_of_batch.business_on) <= policy.date_tolerance_days
),

member as (
    select fitting.entry_no, transaction_no
    from fitting
    cross join lateral unnest(fitting.members) as transaction_no
),

-- An entry with two batches, or a transaction in batches of two entries, is not clear.
unclear as (
    select entry_no
    from fitting
    group by entry_no
    having count(*) > 1
    union
    select entry_no
    from (select *, count(*) over (partition by transaction_no) as times from member) as counted
    where times > 1
    union
    select entry_no
    from member
    inner join refused_pair using (transaction_no, entry_no)
)

select
    transaction_no,
    entry_no,
    'batch'
from member
where entry_no not in (select entry_no from unclear);
