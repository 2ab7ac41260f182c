-- Nearly every group is one paid transaction and one entry that agree in all: these are matched here, many
-- at once, exactly as the passes would. `simple` is such a pair: the only transaction and the only entry of
-- their reference (or, for an entry without one, the only entry that names the transaction, whose reference
-- no other transaction has), same currency, amounts within the tolerance, same family, dates within the
-- tolerance, and no other name in the way. All that is not simple goes through the passes.

-- Grain: one row a transaction and entry of one reference, one a record without such a partner (the other side
-- null), and one an entry and the transaction that it names with another reference or none (`apart`).
create temp table joined on commit drop as
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
        and abs(ours.amount - theirs.amount) <= ours.tolerance_fixed + ours.tolerance_percent * 0.01 * ours.amount
        and abs(ours.business_on - theirs.business_on) <= (select date_tolerance_days from policy)
        and ours.family = theirs.family
        and ours.family in ('paid', 'refunded')
        and coalesce(theirs.transaction_id, ours.transaction_id) = ours.transaction_id,
        false
    ) as clean,
    false as apart
from ours
full join theirs on theirs.ref_key = ours.ref_key and theirs.app_id = ours.app_id;

insert into joined
select
    t.number,
    e.number,
    true,
    e.reference is null
    and t.currency = e.currency
    and e.amount >= 0
    and abs(t.amount - e.amount) <= t.tolerance_fixed + t.tolerance_percent * 0.01 * t.amount
    and abs(t.business_on - e.business_on) <= (select date_tolerance_days from policy)
    and t.family = e.family
    and t.family in ('paid', 'refunded'),
    true
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

analyze joined;

-- Counted in a window: the rows come nearly in order, and sorting them is quicker than hashing.
create temp table not_simple on commit drop as
select
    'kspay' as side,
    t as number
from (select t, count(*) over (partition by t) as pairs from joined where t is not null and e is not null) as paired
where pairs > 1
union
select 'ledger', e
from (select e, count(*) over (partition by e) as pairs from joined where t is not null and e is not null) as paired
where pairs > 1
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

analyze not_simple;

create temp view simple as
select
    t,
    e,
    case when named then 'transaction_id' else 'reference' end as rule,
    apart
from joined
where
    clean
    and not exists (select from not_simple where side = 'kspay' and number = joined.t)
    and not exists (select from not_simple where side = 'ledger' and number = joined.e);

-- All others. Only a record that was joined apart stands in a row of `joined` that is simple and in one that is not.
create temp table left_t on commit drop as
select t as number
from joined
where not clean and t is not null
union
select joined.t
from joined
inner join not_simple on not_simple.side = 'kspay' and not_simple.number = joined.t
union
select joined.t
from joined
inner join not_simple on not_simple.side = 'ledger' and not_simple.number = joined.e
where joined.t is not null
except
select t
from simple
where apart;

create temp table left_e on commit drop as
select e as number
from joined
where not clean and e is not null
union
select joined.e
from joined
inner join not_simple on not_simple.side = 'ledger' and not_simple.number = joined.e
union
select joined.e
from joined
inner join not_simple on not_simple.side = 'kspay' and not_simple.number = joined.t
where joined.e is not null
except
select e
from simple
where apart;

analyze left_t;
analyze left_e;
