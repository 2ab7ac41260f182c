-- Grain: one row a side, app and currency of a period: the first business day of the period that has it.
-- Purpose: Lets a currency that an app never had before be noticed. The look back ends at the first record that is
-- found, so that a long history is read only for a currency that is new.
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
