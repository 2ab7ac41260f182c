-- Grain: one row a discrepancy that this run reports: with a record dated in the period, or an earlier
-- one whose day a finished run covered; a quarantined record without a readable date always counts.
-- `facts` changes with whatever a decision about it would rest on: amount, currency, family, business
-- date and keys of all its records, and its type (missing and timing are one).

create temp table dated on commit drop as
select 'kspay' as side, t as number, app_id, business_on from txn
union all
select 'ledger', e, app_id, business_on from entry
union all
select 'unusable', q, app_id, business_on from unusable;

analyze dated;

create temp table fact on commit drop as
select
    'kspay' as side,
    t as number,
    jsonb_build_array(
        transaction_id, trim_scale(amount)::text, currency, family, business_on, reference, provider_order_id,
        provider_txn_id
    ) as said
from txn
where t in (select number from involved where side = 'kspay')
union all
select
    'ledger',
    e,
    jsonb_build_array(
        source, ledger_id, trim_scale(amount)::text, currency, family, business_on, reference, transaction_id,
        provider_order_id, provider_txn_id
    )
from entry
where e in (select number from involved where side = 'ledger')
union all
select 'unusable', q, to_jsonb(content)
from unusable;

analyze fact;

create temp table reported on commit drop as
select
    found.*,
    min(dated.business_on) as first_on,
    letters(
        jsonb_build_array(
            case when found.type = 'TIMING_DIFFERENCE' then 'MISSING' when found.type like 'MISSING%' then 'MISSING'
            else found.type end,
            jsonb_agg(fact.said order by involved.side collate "C", involved.number)
        ),
        10
    ) as facts
from found
inner join involved using (d)
inner join dated on dated.side = involved.side and dated.number = involved.number
inner join fact on fact.side = involved.side and fact.number = involved.number
cross join policy
where found.due
group by found.d, found.discrepancy_id, found.m, found.t, found.e, found.q, found.aspect, found.type, found.due,
    found.app_id, found.side, found.source, found.record_id, found.severity
having
    bool_or(
        dated.business_on is null
        or dated.business_on between policy.period_first and policy.period_last
        or (
            dated.business_on < policy.period_first
            and exists (
                select from covered
                where
                    covered.app_id = dated.app_id
                    and dated.business_on between covered.period_first and covered.period_last
            )
        )
    );

create unique index on reported (d);
analyze reported;
