-- Grain: one row a side, app and currency of a period: the first business day of the period that has it.
-- Purpose: Lets a currency that an app never had before be noticed. The look back goes by index and ends at the first
-- record that is found, so that a long history is not read.
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
),

of_period as (
    select side, app_id, currency, min(day) as first_day
    from dated
    where case when day between :first and :last then true end
    group by side, app_id, currency
),

earlier as not materialized (
    select 'kspay' as side, app_id, currency
    from transactions
    where business_date(created_at, (select timezone from policy)) < :first
    union all
    select 'ledger', app_id, currency
    from entries
    where not withdrawn and coalesce(dated_on, business_date(dated_at, (select timezone from policy))) < :first
)

select
    of_period.*,
    (
        select true from earlier
        where
            earlier.side = of_period.side and earlier.app_id = of_period.app_id
            and earlier.currency = of_period.currency
        limit 1
    ) is not null as currency_before,
    (
        select true from earlier
        where earlier.side = of_period.side and earlier.app_id = of_period.app_id
        limit 1
    ) is not null as app_before
from of_period
order by side, app_id collate "C", currency collate "C"
