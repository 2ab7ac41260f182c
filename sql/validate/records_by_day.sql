-- Grain: one row a side, app, currency and business day that has a record.
-- Purpose: How many records a day has, so that a day without any, or with far fewer, is noticed, and which currencies
-- it has. The wide ranges are for the indexes: no business date is further than a day from that of UTC. The exact range
-- is in a case, which the planner takes for half of the rows.
-- Reads: entries, policy, transactions
-- Makes: none

with dated as (
    select
        'kspay' as side,
        app_id,
        currency,
        business_date(created_at, (select timezone from policy)) as day
    from transactions
    where
        app_id = any(cast((select app_ids from policy) as text[]))
        and created_at >= cast(:first as date) - 1 and created_at < cast(:last as date) + 2
    union all
    select
        'ledger',
        app_id,
        currency,
        coalesce(dated_on, business_date(dated_at, (select timezone from policy)))
    from entries
    where
        app_id = any(cast((select app_ids from policy) as text[]))
        and not withdrawn
        and coalesce(dated_on, cast(dated_at at time zone 'UTC' as date))
        between cast(:first as date) - 1 and cast(:last as date) + 1
)

select side, app_id, currency, day, count(*) as records
from dated
where case when day between :first and :last then true end
group by side, app_id, currency, day
