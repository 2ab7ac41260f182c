-- Grain: one row a negative entry that belongs to a positive one (`booking`): together they book a
-- refund. A negative paid or refunded entry looks for positive ones of its currency under the
-- transaction that it names, else under its reference. Where a positive is the only one for all that
-- look for it, and they do not exceed it, they are one booking. Else the k-th positive pairs with the
-- k-th negative of exactly its amount, by date, then id. What is left stands alone.
-- `unit` is what the passes match: an entry, or a booking under its positive entry.

create temp table booking (e bigint primary key, lead bigint not null) on commit drop;

create temp table negative on commit drop as
select
    e,
    app_id,
    currency,
    amount,
    business_on,
    case when tx_key is not null then 'transaction' else 'reference' end as kind,
    coalesce(tx_key, ref_key) as key
from entry
where family in ('paid', 'refunded') and amount < 0 and coalesce(tx_key, ref_key) is not null;

create temp table positive on commit drop as
select e, app_id, currency, amount, business_on, 'transaction' as kind, tx_key as key
from entry
where family in ('paid', 'refunded') and amount > 0 and tx_key in (select key from negative)
union all
select e, app_id, currency, amount, business_on, 'reference', ref_key
from entry
where family in ('paid', 'refunded') and amount > 0 and ref_key in (select key from negative);

with reached as (
    select
        negative.e,
        min(negative.amount) as amount,
        min(positive.e) as lead,
        min(positive.amount) as lead_amount,
        count(*) as positives
    from negative
    inner join positive using (app_id, currency, kind, key)
    group by negative.e
),

whole as (
    select lead
    from reached
    where positives = 1
    group by lead, lead_amount
    having sum(-amount) <= lead_amount
)

insert into booking
select e, lead
from reached
inner join whole using (lead)
where positives = 1;

do $$
declare
    looking_by text;
begin
    foreach looking_by in array array['transaction', 'reference'] loop
        insert into booking
        select negatives.e, positives.e
        from (
            select *, row_number() over (partition by app_id, currency, key, amount order by business_on, e) as k
            from negative
            where kind = looking_by and e not in (select e from booking)
        ) as negatives
        inner join (
            select *, row_number() over (partition by app_id, currency, key, amount order by business_on, e) as k
            from positive
            where kind = looking_by and e not in (select lead from booking)
        ) as positives
            on
                positives.app_id = negatives.app_id and positives.currency = negatives.currency
                and positives.key = negatives.key and positives.k = negatives.k
                and positives.amount = -negatives.amount;
    end loop;
end
$$;

create temp table unit on commit drop as
select
    e,
    app_id,
    source,
    ledger_id,
    currency,
    amount,
    business_on,
    ref_key,
    tx_key,
    case
        when amount < 0 and family = 'paid' then 'refunded'
        when e in (select lead from booking) then 'refunded'
        else family
    end as family
from entry
where e not in (select e from booking);

create unique index on unit (e);
analyze unit;
