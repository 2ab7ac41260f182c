-- Grain: one row a negative entry that belongs to a positive one (`booking`): together they book a refund.
-- Purpose: A negative paid or refunded entry looks for positive ones of its currency that name the transaction that it
-- names. If there are none, or if it names none, it looks for those of its reference, but not for those that name
-- another transaction, if KS Pay knows both. An entry names the transaction that it was given, if KS Pay knows it;
-- else the only one that has its reference. If a positive is the only one for all that look for it, and they do not
-- exceed it, together they are one booking. Otherwise the k-th positive pairs with the k-th negative of exactly its
-- amount: first those that name something, then by date, then id. A positive that books the transaction that it names
-- less the expected fee stands for the whole amount (`gross`) as well, since that is what is given back. What is left
-- stands alone. `unit` is what the passes
-- match: an entry, or a booking under its positive entry; `refunded` is what its negative entries give back, 0 where it
-- has none. `unit_entry` holds its entries, and `unit_key` the keys of all its entries. Records that a person joined
-- form bookings only among themselves.
-- Reads: entry, txn
-- Makes: booking, exact_pair, sought, unit, unit_entry, unit_key

create temp table booking (entry_rank bigint primary key, lead_rank bigint not null) on commit drop;

create temp table sought on commit drop as
with only_one as (
    select
        app_id,
        ref_key,
        min(transaction_id) as transaction_id
    from txn
    where ref_key is not null
    group by app_id, ref_key
    having count(*) = 1
),

refundable as (
    select
        entry.*,
        coalesce(given.transaction_id, only_one.transaction_id, entry.tx_key) as names,
        coalesce(given.transaction_id, only_one.transaction_id) is not null as is_known,
        entry.amount + coalesce(
            fee_taken(
                named.amount,
                named.fee,
                entry.amount,
                tolerance_of(named.tolerance_fixed, named.tolerance_percent, named.amount)
            ),
            0
        ) as gross
    from entry
    left join txn as given on given.app_id = entry.app_id and given.transaction_id = entry.tx_key
    left join only_one on only_one.app_id = entry.app_id and only_one.ref_key = entry.ref_key
    left join txn as named
        on
            named.app_id = entry.app_id
            and named.transaction_id = coalesce(given.transaction_id, only_one.transaction_id)
            and named.currency = entry.currency
    where entry.family in ('paid', 'refunded') and coalesce(entry.tx_key, entry.ref_key) is not null
),

by_name as (
    select
        negative.entry_rank,
        positive.entry_rank as lead_rank,
        positive.gross as lead_gross,
        false as unnamed
    from refundable as negative
    inner join refundable as positive using (app_id, currency, names)
    where negative.amount < 0 and positive.amount > 0 and negative.decision_id is not distinct from positive.decision_id
),

by_reference as (
    select
        negative.entry_rank,
        positive.entry_rank as lead_rank,
        positive.gross as lead_gross,
        negative.names is null as unnamed
    from refundable as negative
    inner join refundable as positive using (app_id, currency, ref_key)
    where
        negative.amount < 0 and positive.amount > 0
        and negative.decision_id is not distinct from positive.decision_id
        and negative.entry_rank not in (select entry_rank from by_name)
        and not coalesce(negative.names <> positive.names and negative.is_known and positive.is_known, false)
),

either as (
    select entry_rank, lead_rank, lead_gross, unnamed from by_name
    union all
    select entry_rank, lead_rank, lead_gross, unnamed from by_reference
)

select
    either.entry_rank,
    either.lead_rank,
    either.lead_gross,
    either.unnamed,
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
        group by lead_rank, lead_gross
        having sum(-amount) <= lead_gross
    );

-- Grain: one row a negative and a positive of exactly its amount that are both still free. `alone` are the pairs of
-- groups in which all negatives see the same positives.
create temp table exact_pair on commit drop as
with free as (
    select
        sought.*,
        array_agg(lead_rank) over (
            partition by entry_rank order by lead_rank rows between unbounded preceding and unbounded following
        ) as seen
    from sought
    where
        -amount in (lead_amount, lead_gross)
        and entry_rank not in (select entry_rank from booking) and lead_rank not in (select lead_rank from booking)
),

shared as (
    select lead_rank
    from free
    group by lead_rank
    having count(distinct seen) > 1
)

select
    free.entry_rank,
    free.lead_rank,
    not bool_or(shared.lead_rank is not null) over (partition by free.entry_rank) as alone,
    row_number() over (partition by free.lead_rank order by free.unnamed, free.business_on, free.entry_rank) as place,
    row_number() over (partition by free.entry_rank order by free.lead_on, free.lead_rank) as lead_place
from free
left join shared using (lead_rank);

-- Where all see the same, pairing by rank is taking them one by one.
insert into booking
select entry_rank, lead_rank
from exact_pair
where alone and place = lead_place;

-- Elsewhere a round takes the pairs of which each is the first for the other.
do $$
begin
    loop
        insert into booking
        with free as (
            select entry_rank, lead_rank, place, lead_place
            from exact_pair
            where
                not alone
                and entry_rank not in (select entry_rank from booking) and lead_rank not in (select lead_rank from booking)
        ),

        first_one as (
            select
                entry_rank,
                lead_rank,
                place = min(place) over (partition by lead_rank) as of_lead,
                lead_place = min(lead_place) over (partition by entry_rank) as of_entry
            from free
        )

        select entry_rank, lead_rank
        from first_one
        where of_lead and of_entry;
        exit when not found;
    end loop;
end
$$;

create temp table unit on commit drop as
with given_back as (
    select
        booking.lead_rank,
        sum(-entry.amount) as amount
    from booking
    inner join entry using (entry_rank)
    group by booking.lead_rank
)

select
    entry.entry_rank,
    entry.number,
    entry.app_id,
    entry.source,
    entry.ledger_id,
    entry.currency,
    entry.amount,
    entry.business_on,
    entry.decision_id,
    entry.tolerance_fixed,
    entry.tolerance_percent,
    case
        when given_back.lead_rank is not null or (entry.amount < 0 and entry.family = 'paid') then 'refunded'
        else entry.family
    end as family,
    case
        when given_back.lead_rank is not null then given_back.amount
        when entry.amount < 0 and entry.family in ('paid', 'refunded') then -entry.amount
        else 0
    end as refunded
from entry
left join given_back on given_back.lead_rank = entry.entry_rank
where entry.entry_rank not in (select entry_rank from booking);

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
