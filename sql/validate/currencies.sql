-- Grain: one row a side, app and currency of a period.
-- Purpose: Lets a currency that an app never had before be noticed. The look back goes by index and ends at the first
-- record that is found, so that a long history is not read; the wide ranges are for the other indexes, where there is
-- no history: no business date is further than a day from that of UTC. Parameters: `sides`, `app_ids`, `currencies` and
-- `first_days` (the first business day of the period that has it), each with a value a row; `first`, of the period.
-- Reads: entries, policy, transactions
-- Makes: none

with of_period as (
    select side, app_id, currency, first_day
    from
        unnest(
            cast(:sides as text[]), cast(:app_ids as text[]), cast(:currencies as text[]), cast(:first_days as date[])
        ) as given (side, app_id, currency, first_day)
),

earlier as not materialized (
    select 'kspay' as side, app_id, currency
    from transactions
    where
        created_at < cast(:first as date) + 1
        and business_date(created_at, (select timezone from policy)) < :first
    union all
    select 'ledger', app_id, currency
    from entries
    where
        not withdrawn
        and coalesce(dated_on, cast(dated_at at time zone 'UTC' as date)) <= cast(:first as date)
        and coalesce(dated_on, business_date(dated_at, (select timezone from policy))) < :first
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
