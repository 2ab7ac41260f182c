-- Grain: one row a side, app and currency of a period: the first business day of the period that has it.
-- Purpose: Lets a currency that an app never had before be noticed. The look back ends at the first record that is
-- found, so that a long history is read only for a currency that is new.
-- Reads: entries, policy, transactions
-- Makes: none

with dated as (
    select
        'kspay' as side,
        held.app_id,
        held.currency,
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
        held.currency,
        coalesce(held.dated_on, business_date(held.dated_at, policy.timezone))
    from entries as held
    inner join policy on held.app_id = any(policy.app_ids)
    where
        not held.withdrawn
        and coalesce(held.dated_on, cast(held.dated_at at time zone 'UTC' as date))
        between cast(:first as date) - 1 and cast(:last as date) + 1
),

of_period as (
    select side, app_id, currency, min(day) as first_day
    from dated
    where day between :first and :last
    group by side, app_id, currency
)

select
    of_period.*,
    case side
        when 'kspay'
            then (
                select true
                from transactions as held
                where
                    held.app_id = of_period.app_id and held.currency = of_period.currency
                    and business_date(held.created_at, (select timezone from policy)) < :first
                limit 1
            )
        else (
            select true
            from entries as held
            where
                held.app_id = of_period.app_id and held.currency = of_period.currency and not held.withdrawn
                and coalesce(held.dated_on, business_date(held.dated_at, (select timezone from policy))) < :first
            limit 1
        )
    end is not null as currency_before,
    case side
        when 'kspay'
            then (
                select true
                from transactions as held
                where
                    held.app_id = of_period.app_id
                    and business_date(held.created_at, (select timezone from policy)) < :first
                limit 1
            )
        else (
            select true
            from entries as held
            where
                held.app_id = of_period.app_id and not held.withdrawn
                and coalesce(held.dated_on, business_date(held.dated_at, (select timezone from policy))) < :first
            limit 1
        )
    end is not null as app_before
from of_period
order by side, app_id collate "C", currency collate "C"
