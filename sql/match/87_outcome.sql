-- Grain: one row a record of the period, and one an earlier record that the report lists (`scope` carried):
-- its one outcome. What counts is all that is wrong with it by the as-of day, not only what is reported.

create temp table wrong on commit drop as
select
    involved.side,
    involved.number,
    bool_and(judged.status = 'resolved') as decided,
    bool_or(judged.type = 'TIMING_DIFFERENCE' and judged.status <> 'resolved') as timing
from judged
inner join involved using (d)
group by involved.side, involved.number;

create unique index on wrong (side, number);
analyze wrong;

create temp table scoped on commit drop as
select 'period' as scope, 'kspay' as side, number, currency, amount, business_on, payment_type
from known_transaction
cross join asked
where
    created_at >= (select period_first - 1 from asked) and created_at < (select period_last + 2 from asked)
    and business_on between asked.period_first and asked.period_last
union all
select 'period', 'ledger', number, currency, amount, business_on, null
from known_entry
cross join asked
where
    coalesce(dated_on, (dated_at at time zone 'UTC')::date)
    between (select period_first - 1 from asked) and (select period_last + 1 from asked)
    and business_on between asked.period_first and asked.period_last
union all
-- The amount of a record that cannot be used is not to be trusted: it counts, but adds nothing.
select 'period', 'broken', q, coalesce(currency, ''), 0, business_on, null
from broken
cross join asked
where business_on between asked.period_first and asked.period_last or business_on is null;

insert into scoped
with listed as (
    select distinct involved.side, involved.number
    from reported
    inner join involved using (d)
)

select 'carried', 'kspay', number, currency, amount, business_on, payment_type
from listed
inner join shown_transaction using (number)
cross join asked
where listed.side = 'kspay' and business_on < asked.period_first
union all
select 'carried', 'ledger', number, currency, amount, business_on, null
from listed
inner join shown_entry using (number)
cross join asked
where listed.side = 'ledger' and business_on < asked.period_first
union all
select 'carried', 'broken', q, coalesce(currency, ''), 0, business_on, null
from listed
inner join broken on broken.q = listed.number
cross join asked
where listed.side = 'broken' and business_on < asked.period_first;

analyze scoped;

create temp table outcome on commit drop as
with taken as (
    select 'kspay' as side, t as number, min(rule) as rule
    from pairings
    where t in (select number from scoped where side = 'kspay')
    group by t
    union all
    select 'ledger', e, min(rule)
    from pairings
    where e in (select number from scoped where side = 'ledger')
    group by e
)

select
    scoped.*,
    taken.rule,
    case
        when scoped.side = 'broken' then 'quarantined'
        when wrong.decided then 'resolved'
        when taken.number is not null and wrong.number is not null then 'matched_with_discrepancy'
        when taken.number is not null then 'matched'
        when wrong.timing then 'timing'
        when wrong.number is not null then 'unmatched'
        else 'excluded'
    end as outcome
from scoped
left join taken using (side, number)
left join wrong using (side, number);

analyze outcome;

-- Grain: scope, side, currency and outcome: what summary.csv shows.
create temp table summary on commit drop as
select
    scope,
    coalesce(broken.side, outcome.side) as side,
    outcome.currency,
    outcome,
    count(*) as records,
    sum(amount) as amount
from outcome
left join broken on outcome.side = 'broken' and broken.q = outcome.number
group by scope, coalesce(broken.side, outcome.side), outcome.currency, outcome;
