-- Grain: one row a negative entry that belongs to a positive one (`booking`): together they book a
-- refund. A negative paid or refunded entry looks for positive ones of its currency that name the
-- transaction that it names; where there are none, and where it names none, for those of its reference
-- (but not for those that name another transaction than it does). Where a positive is the only one for
-- all that look for it, and they do not exceed it, they are one booking. Else the k-th positive pairs
-- with the k-th negative of exactly its amount, by date, then id. What is left stands alone.
-- `unit` is what the passes match: an entry, or a booking under its positive entry; `unit_entry`
-- holds its entries, and `unit_key` its keys, those of all its entries. Records that a person joined form
-- bookings only among themselves.

create temp table booking (e bigint primary key, lead bigint not null) on commit drop;

create temp table sought on commit drop as
with refundable as (
    select * from entry where family in ('paid', 'refunded') and coalesce(tx_key, ref_key) is not null
),

by_name as (
    select negative.e, positive.e as lead, 1 as step
    from refundable as negative
    inner join refundable as positive using (app_id, currency, tx_key)
    where negative.amount < 0 and positive.amount > 0 and negative.h is not distinct from positive.h
),

by_reference as (
    select negative.e, positive.e as lead, case when negative.tx_key is not null then 2 else 3 end as step
    from refundable as negative
    inner join refundable as positive using (app_id, currency, ref_key)
    where
        negative.amount < 0 and positive.amount > 0
        and negative.h is not distinct from positive.h
        and (
            negative.tx_key is null
            or (positive.tx_key is null and negative.e not in (select e from by_name))
        )
),

either as (
    select e, lead, step from by_name
    union all
    select e, lead, step from by_reference
)

select
    either.e,
    either.lead,
    either.step,
    negative.amount,
    negative.business_on,
    positive.amount as lead_amount,
    positive.business_on as lead_on,
    count(*) over (partition by either.e) as positives
from either
inner join entry as negative on negative.e = either.e
inner join entry as positive on positive.e = either.lead;

insert into booking
select e, lead
from sought
where
    positives = 1
    and lead in (
        select lead
        from sought
        where positives = 1
        group by lead, lead_amount
        having sum(-amount) <= lead_amount
    );

-- Within a step, negatives of one amount that see one of the positives see the same ones, so that
-- pairing by rank is taking them one by one.
do $$
begin
    for this_step in 1..3 loop
        insert into booking
        with free as (
            select *
            from sought
            where
                step = this_step and lead_amount = -amount
                and e not in (select e from booking) and lead not in (select lead from booking)
        ),

        ranked as (
            select
                e,
                lead,
                dense_rank() over (partition by lead order by business_on, e) as k,
                dense_rank() over (partition by e order by lead_on, lead) as lead_k
            from free
        )

        select e, lead
        from ranked
        where k = lead_k;
    end loop;
end
$$;

create temp table unit on commit drop as
select
    e,
    number,
    app_id,
    source,
    ledger_id,
    currency,
    amount,
    business_on,
    h,
    case
        when amount < 0 and family = 'paid' then 'refunded'
        when e in (select lead from booking) then 'refunded'
        else family
    end as family
from entry
where e not in (select e from booking);

create temp table unit_entry on commit drop as
select
    coalesce(booking.lead, entry.e) as unit,
    entry.e
from entry
left join booking on booking.e = entry.e;

create temp table unit_key on commit drop as
select distinct unit_entry.unit as e, app_id, kind, key
from entry
inner join unit_entry using (e)
cross join lateral (
    values
    ('transaction_id', tx_key),
    ('reference', ref_key),
    ('comparable', comparable_key),
    ('provider_order_id', order_key),
    ('provider_txn_id', txn_key)
) as carried (kind, key)
where key is not null;

create unique index on unit (e);
analyze unit (e, family);
analyze unit_entry;
analyze unit_key (e, app_id, kind, key);
