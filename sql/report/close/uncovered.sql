-- Grain: one row a run of days of a month that no finished run of an app covered.
-- Purpose: Whether a month can be closed.
-- Reads: runs
-- Makes: none

with lacking as (
    select
        apps.app_id,
        cast(day as date) as day
    from unnest(cast(:app_ids as text[])) as apps (app_id)
    cross join generate_series(cast(:first as date), cast(:last as date), interval '1 day') as day
    where
        not exists (
            select from runs
            where
                runs.command = 'run' and runs.state = 'finished' and apps.app_id = any(runs.apps)
                and day between runs.period_first and runs.period_last
        )
)

select
    app_id,
    min(day) as first_day,
    max(day) as last_day
from (
    select
        app_id,
        day,
        day - cast(row_number() over (partition by app_id order by day) as integer) as island
    from lacking
) as islands
group by app_id, island
order by app_id collate "C", first_day
