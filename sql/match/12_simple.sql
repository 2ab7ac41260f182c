-- Nearly every group is one paid transaction and one entry that agree in all: these are matched here, many
-- at once, exactly as the passes would. `simple` is such a pair: the only transaction and the only entry of
-- their reference (or, for an entry without one, the only entry that names the transaction, whose reference
-- no other transaction has), same currency, amounts within the tolerance, same family, dates within the
-- tolerance, and no other name in the way. All that is not simple goes through the passes.

create temp table paid_word on commit drop as
select distinct side, family, word
from status_family
cross join lateral unnest(array[status, upper(status), initcap(status)]) as word
where family in ('paid', 'refunded');

analyze paid_word;

create temp table joined on commit drop as
select
    t.number as t,
    e.number as e,
    t.reference,
    case when e.transaction_id is null then 'reference' else 'transaction_id' end as rule,
    t.currency = e.currency
    and e.amount >= 0
    and abs(t.amount - e.amount) <= t.tolerance_fixed + t.tolerance_percent * 0.01 * t.amount
    and abs(t.business_on - e.business_on) <= policy.date_tolerance_days
    and t_word.family = e_word.family
    and coalesce(e.transaction_id, t.transaction_id) = t.transaction_id as clean
from scope_transaction as t
inner join scope_entry as e on e.app_id = t.app_id and e.reference = t.reference
cross join policy
left join paid_word as t_word on t_word.side = 'kspay' and t_word.word = t.status
left join paid_word as e_word on e_word.side = 'ledger' and e_word.word = e.status
where
    not exists (
        select from crowded_keys as crowded
        where crowded.app_id = t.app_id and crowded.kind = 'reference' and crowded.key = t.reference
    );

insert into joined
select
    t.number,
    e.number,
    t.reference,
    'transaction_id',
    e.reference is null
    and t.currency = e.currency
    and e.amount >= 0
    and abs(t.amount - e.amount) <= t.tolerance_fixed + t.tolerance_percent * 0.01 * t.amount
    and abs(t.business_on - e.business_on) <= policy.date_tolerance_days
    and t_word.family = e_word.family
from scope_entry as e
inner join scope_transaction as t on t.app_id = e.app_id and t.transaction_id = e.transaction_id
cross join policy
left join paid_word as t_word on t_word.side = 'kspay' and t_word.word = t.status
left join paid_word as e_word on e_word.side = 'ledger' and e_word.word = e.status
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

create temp table not_simple on commit drop as
select 'kspay' as side, t as number
from joined
group by t
having count(*) > 1
union all
select 'ledger', e
from joined
group by e
having count(*) > 1
union all
select side, number
from by_hand
union all
-- Named by an entry without a reference, while another transaction has the reference of this one.
select 'kspay', joined.t
from joined
inner join scope_transaction as t on t.number = joined.t
inner join scope_transaction as other
    on other.app_id = t.app_id and other.reference = t.reference and other.number <> t.number
where joined.rule = 'transaction_id';

analyze not_simple;

create temp view simple as
select t, e, rule
from joined
where
    clean
    and not exists (select from not_simple where side = 'kspay' and number = joined.t)
    and not exists (select from not_simple where side = 'ledger' and number = joined.e);
