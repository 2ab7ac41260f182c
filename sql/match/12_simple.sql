-- Nearly every group is one paid transaction and one entry that agree in all: these are matched here, many
-- at once, exactly as the passes would. `simple` is such a pair: the only transaction and the only entry of
-- their reference (or, for an entry without one, the only entry that names the transaction, whose reference
-- no other transaction has), same currency, amounts within the tolerance, same family, dates within the
-- tolerance, and no other name in the way. All that is not simple goes through the passes.

-- Grain: one row a transaction and entry of one reference, one a record without such a partner (the other side null).
create temp table joined_by_reference on commit drop as
with ours as (
    select
        scope_transaction.*,
        case when crowded.key is null then reference end as ref_key
    from scope_transaction
    left join crowded_keys as crowded
        on crowded.app_id = scope_transaction.app_id and crowded.kind = 'reference' and crowded.key = reference
),

theirs as (
    select
        scope_entry.*,
        case when crowded.key is null then reference end as ref_key
    from scope_entry
    left join crowded_keys as crowded
        on crowded.app_id = scope_entry.app_id and crowded.kind = 'reference' and crowded.key = reference
)

select
    ours.number as t,
    theirs.number as e,
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

create temp view joined as
select t, e, named, clean, false as apart from joined_by_reference
union all
select t, e, true, clean, true from joined_apart;

-- The rows come nearly in order, and sorting them is quicker than hashing.
set local enable_hashagg = off;

create temp table not_simple on commit drop as
select
    'kspay' as side,
    t as number
from joined
where t is not null and e is not null
group by t
having count(*) > 1
union
select 'ledger', e
from joined
where t is not null and e is not null
group by e
having count(*) > 1
union
select side, number
from by_hand
union
-- Named by an entry without a reference, while another transaction has the reference of this one.
select 'kspay', joined.t
from joined
inner join scope_transaction as t on t.number = joined.t
inner join scope_transaction as other
    on other.app_id = t.app_id and other.reference = t.reference and other.number <> t.number
where joined.apart;

set local enable_hashagg = on;

analyze not_simple;

-- All others. Only a record that was joined apart stands in a row of `joined` that is simple and in one that is not.
create temp table not_so_simple on commit drop as
select t, e, clean
from joined
where
    not clean
    or exists (select from not_simple where side = 'kspay' and number = joined.t)
    or exists (select from not_simple where side = 'ledger' and number = joined.e);

-- A transaction of a clean pair among these has no simple pair beside it: it would stand in two.
create temp view simple as
select
    t,
    e,
    case when named then 'transaction_id' else 'reference' end as rule,
    apart
from joined
where clean and not exists (select from not_so_simple where not_so_simple.clean and not_so_simple.t = joined.t);

create temp table left_t on commit drop as
select t as number
from not_so_simple
where t is not null
except
select t
from simple
where apart;

create temp table left_e on commit drop as
select e as number
from not_so_simple
where e is not null
except
select e
from simple
where apart;

analyze not_so_simple (t, clean);
analyze left_t;
analyze left_e;
