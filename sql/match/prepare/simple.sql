-- Nearly every group is one paid transaction and one entry that agree in all: these are matched here, many
-- at once, exactly as the passes would. `simple` is such a pair: the only transaction and the only entry of
-- their reference (or, for an entry without one, the only entry that names the transaction, whose reference
-- no other transaction has), same currency, amounts within the tolerance, same family, dates within the
-- tolerance, and no other name in the way. All that is not simple goes through the passes.

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
