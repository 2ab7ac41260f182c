-- Grain: one row a record, of both sides and of the quarantine: its one outcome. What counts is all
-- that is wrong with it by the as-of day, not only what this run reports.

create temp table outcome on commit drop as
with wrong as (
    select involved.side, involved.number, bool_or(found.type = 'TIMING_DIFFERENCE') as only_timing
    from found
    inner join involved using (d)
    where found.due
    group by involved.side, involved.number
),

taken as (
    select side, number from member
),

all_records as (
    select 'kspay' as side, 'kspay' as book, t as number, app_id, currency, amount, business_on from txn
    union all
    select 'ledger', 'ledger', e, app_id, currency, amount, business_on from entry
    union all
    -- The amount of a record that cannot be used is not to be trusted: it counts, but adds nothing.
    select 'unusable', side, q, app_id, coalesce(currency, ''), 0, business_on from unusable
)

select
    all_records.*,
    case
        when all_records.side = 'unusable' then 'quarantined'
        when taken.number is not null and wrong.number is not null then 'matched_with_discrepancy'
        when taken.number is not null then 'matched'
        when wrong.only_timing then 'timing'
        when wrong.number is not null then 'unmatched'
        else 'excluded'
    end as outcome
from all_records
left join taken using (side, number)
left join wrong using (side, number);

-- Grain: scope, side, currency and outcome: what summary.csv shows. `carried` are the earlier records
-- that a reported discrepancy lists.
create temp table summary on commit drop as
with earlier as (
    select distinct involved.side, involved.number
    from reported
    inner join involved using (d)
),

scoped as (
    select 'period' as scope, outcome.*
    from outcome
    cross join policy
    where business_on between policy.period_first and policy.period_last or business_on is null
    union all
    select 'carried', outcome.*
    from outcome
    inner join earlier using (side, number)
    cross join policy
    where outcome.business_on < policy.period_first
)

select
    scope,
    book as side,
    currency,
    outcome,
    count(*) as records,
    sum(amount) as amount
from scoped
group by scope, book, currency, outcome;
