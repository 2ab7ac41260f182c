-- Grain: one row a negative entry that belongs to a positive one (`booking`): together they book a refund.
-- Purpose: A negative paid or refunded entry looks for positive ones of its currency that name the transaction that it
-- names. If there are none, or if it names none, it looks for those of its reference, but not for those that name
-- another transaction. If a positive is the only one for all that look for it, and they do not exceed it, together they
-- are one booking. Otherwise the k-th positive pairs with the k-th negative of exactly its amount, by date, then id.
-- What is left stands alone. `unit` is what the passes match: an entry, or a booking under its positive entry.
-- `unit_entry` holds its entries, and `unit_key` the keys of all its entries. Records that a person joined form
-- bookings only among themselves.
-- Reads: entry
-- Makes: booking, sought, unit, unit_entry, unit_key

create temp table booking (entry_rank bigint primary key, lead_rank bigint not null) on commit drop;

create temp table sought on commit drop as
with refundable as (
    select * from entry where family in ('paid', 'refunded') and coalesce(tx_key, ref_key) is not null
),

by_name as (
    select negative.entry_rank, positive.entry_rank as lead_rank, 1 as step
    from refundable as negative
    inner join refundable as positive using (app_id, currency, tx_key)
    where negative.amount < 0 and positive.amount > 0 and negative.decision_id is not distinct from positive.decision_id
),

by_reference as (
    select
        negative.entry_rank,
        positive.entry_rank as lead_rank,
        case when negative.tx_key is not null then 2 else 3 end as step
    from refundable as negative
    inner join refundable as positive using (app_id, currency, ref_key)
    where
        negative.amount < 0 and positive.amount > 0
        and negative.decision_id is not distinct from positive.decision_id
        and (
            negative.tx_key is null
            or (positive.tx_key is null and negative.entry_rank not in (select entry_rank from by_name))
        )
),

either as (
    select entry_rank, lead_rank, step from by_name
    union all
    select entry_rank, lead_rank, step from by_reference
)

select
    either.entry_rank,
    either.lead_rank,
    either.step,
    negative.amount,
    negative.business_on,
    positive.amount as lead_amount,
    positive.business_on as lead_on,
    count(*) over (partition by either.entry_rank) as positives
from either
inner join entry as negative on negative.entry_rank = either.entry_rank
inner join entry as positive on positive.entry_rank = either.lead_rank;

insert into booking
select entry_rank, lead_rank
from sought
where
    positives = 1
    and lead_rank in (
        select lead_rank
        from sought
        where positives = 1
        group by lead_rank, lead_amount
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
                and entry_rank not in (select entry_rank from booking) and lead_rank not in (select lead_rank from booking)
        ),

        ranked as (
            select
                entry_rank,
                lead_rank,
                dense_rank() over (partition by lead_rank order by business_on, entry_rank) as place,
                dense_rank() over (partition by entry_rank order by lead_on, lead_rank) as lead_place
            from free
        )

        select entry_rank, lead_rank
        from ranked
        where place = lead_place;
    end loop;
end
$$;

create temp table unit on commit drop as
select
    entry_rank,
    number,
    app_id,
    source,
    ledger_id,
    currency,
    amount,
    business_on,
    decision_id,
    case
        when amount < 0 and family = 'paid' then 'refunded'
        when entry_rank in (select lead_rank from booking) then 'refunded'
        else family
    end as family
from entry
where entry_rank not in (select entry_rank from booking);

create temp table unit_entry on commit drop as
select
    coalesce(booking.lead_rank, entry.entry_rank) as unit_rank,
    entry.entry_rank
from entry
left join booking on booking.entry_rank = entry.entry_rank;

create temp table unit_key on commit drop as
select distinct unit_entry.unit_rank as entry_rank, app_id, kind, key
from entry
inner join unit_entry using (entry_rank)
cross join
    lateral (
        values
        ('transaction_id', tx_key),
        ('reference', ref_key),
        ('comparable', comparable_key),
        ('provider_order_id', order_key),
        ('provider_txn_id', txn_key)
    ) as carried (kind, key)
where key is not null;

create unique index on unit (entry_rank);
analyze unit (entry_rank, family);
analyze unit_entry;
analyze unit_key (entry_rank, app_id, kind, key);
