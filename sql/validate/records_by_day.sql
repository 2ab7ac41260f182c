-- Grain: one row a side, app and business day that has a record.
-- Purpose: How many records a day has, so that a day without any, or with far fewer, is noticed.
-- Reads: entries, policy, transactions
-- Makes: none

with dated as (
    select
        'kspay' as side,
        held.app_id,
        business_date(held.created_at, policy.timezone) as day
    from transactions as held
    inner join policy on held.app_id = any(policy.app_ids)
    where
        held.created_at >= cast(:first as timestamp) at time zone policy.timezone
        and held.created_at < cast(cast(:last as date) + 1 as timestamp) at time zone policy.timezone
    union all
    select
        'ledger',
        held.app_id,
        coalesce(held.dated_on, business_date(held.dated_at, policy.timezone))
    from entries as held
    inner join policy on held.app_id = any(policy.app_ids)
    where
        not held.withdrawn
        and coalesce(held.dated_on, cast(held.dated_at at time zone 'UTC' as date))
        between cast(:first as date) - 1 and cast(:last as date) + 1
)

select side, app_id, day, count(*) as records
from dated
where day between :first and :last
group by side, app_id, day
