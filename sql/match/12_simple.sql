-- Nearly every group is one paid transaction and one entry that agree in all: these are matched here, many
-- at once, exactly as the passes would. `simple` is such a pair: the only transaction and the only entry of
-- their reference (or, for an entry without one, the only entry that names the transaction, whose reference
-- no other transaction has), same currency, amounts within the tolerance, same family, dates within the
-- tolerance, and no other name in the way. All that is not simple goes through the passes.

-- Grain: one row a transaction and entry of one reference, one a record without such a partner (the other side null).
-- Whether any reference is crowded is asked once: mostly none is.
create temp table joined_by_reference on commit drop as
with ours as (
    select
        scope_transaction.*,
        case
            when (select not exists (select from crowded_keys where kind = 'reference')) then reference
            when (app_id, reference) not in (select app_id, key from crowded_keys where kind = 'reference')
                then reference
        end as ref_key
    from scope_transaction
),

theirs as (
    select
        scope_entry.*,
        case
            when (select not exists (select from crowded_keys where kind = 'reference')) then reference
            when (app_id, reference) not in (select app_id, key from crowded_keys where kind = 'reference')
                then reference
        end as ref_key
    from scope_entry
)

select
    ours.number as t,
    theirs.number as e,
    hashtext(ours.ref_key) # hashtext(ours.app_id) as h,
    theirs.transaction_id is not null as named,
    coalesce(
        ours.currency = theirs.currency
        and theirs.amount >= 0
        and (
            ours.amount = theirs.amount
            or abs(ours.amount - theirs.amount)
            <= ours.tolerance_fixed + ours.tolerance_percent * 0.01 * ours.amount
        )
        -- No business date is further than a day from that of UTC, which is worked out far sooner. `business_on` would
        -- be worked out for every record before the join.
        and (
            abs((ours.created_at at time zone interval '0')::date - theirs.dated_on)
            < (select date_tolerance_days from policy)
            or abs(
                business_date(ours.created_at, (select timezone from policy))
                - coalesce(theirs.dated_on, business_date(theirs.dated_at, (select timezone from policy)))
            ) <= (select date_tolerance_days from policy)
        )
        and ours.family = theirs.family
        and ours.family in ('paid', 'refunded')
        and coalesce(theirs.transaction_id, ours.transaction_id) = ours.transaction_id,
        false
    ) as clean
from ours
full join theirs on theirs.ref_key = ours.ref_key and theirs.app_id = ours.app_id;

-- Grain: one row an entry and the transaction that it names with another reference or none.
create temp table joined_apart on commit drop as
select
    t.number as t,
    e.number as e,
    e.reference is null
    and t.currency = e.currency
    and e.amount >= 0
    and (
        t.amount = e.amount
        or abs(t.amount - e.amount) <= t.tolerance_fixed + t.tolerance_percent * 0.01 * t.amount
    )
    and abs(t.business_on - e.business_on) <= (select date_tolerance_days from policy)
    and t.family = e.family
    and t.family in ('paid', 'refunded') as clean
from scope_entry as e
inner join scope_transaction as t on t.app_id = e.app_id and t.transaction_id = e.transaction_id
where
    e.transaction_id is not null
    and (
        e.reference is distinct from t.reference
        or exists (
            select from crowded_keys as crowded
            where crowded.app_id = t.app_id and crowded.kind = 'reference' and crowded.key = t.reference
        )
    );

-- References that stand in several rows, by their hash: two that share one merely go through the passes.
-- Sorting is quicker than hashing so many groups of one row.
set local enable_hashagg = off;

create temp table several on commit drop as
select h
from joined_by_reference
where h is not null
group by h
having count(*) > 1;

set local enable_hashagg to default;

create temp table joined_otherwise on commit drop as
select 'kspay' as side, t as number from joined_apart
union
select 'ledger', e from joined_apart
union
select side, number from by_hand;

analyze several;
analyze joined_otherwise;

-- A transaction or an entry stands in one row by reference, or in several that are all among these.
create temp table not_so_simple on commit drop as
select t, e, clean
from joined_by_reference
where
    not clean
    or h in (select h from several)
    or t in (select number from joined_otherwise where side = 'kspay')
    or e in (select number from joined_otherwise where side = 'ledger');

analyze not_so_simple (t, clean);

-- Named by one entry without a reference, and the only record of its own reference.
create temp table simple_apart on commit drop as
select named.t, named.e
from (
    select *, count(*) over (partition by t) as entries
    from joined_apart
) as named
inner join joined_by_reference as own using (t)
where
    named.clean and named.entries = 1 and own.e is null
    and (own.h is null or own.h not in (select h from several))
    and not exists (
        select from by_hand
        where
            by_hand.side = 'kspay' and by_hand.number = named.t
            or by_hand.side = 'ledger' and by_hand.number = named.e
    );

create temp view simple as
select
    t,
    e,
    case when named then 'transaction_id' else 'reference' end as rule
from joined_by_reference
where clean and not exists (select from not_so_simple as other where other.clean and other.t = joined_by_reference.t)
union all
select t, e, 'transaction_id' from simple_apart;

-- All others.
create temp table left_t on commit drop as
select t as number
from not_so_simple
where t is not null
except
select t
from simple_apart;

create temp table left_e on commit drop as
select e as number
from not_so_simple
where e is not null
except
select e
from simple_apart;

analyze left_t;
analyze left_e;
