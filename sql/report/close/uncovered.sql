-- Grain: one row a run of days of a month that no finished run of an app covered to their end.
-- Purpose: Whether a month can be closed. Runs that began before a day was over cover it only in part.
-- Reads: runs
-- Makes: none

with days as (
    select
        apps.app_id,
        cast(day as date) as day
    from unnest(cast(:app_ids as text[])) as apps (app_id)
    cross join generate_series(cast(:first as date), cast(:last as date), interval '1 day') as day
),

lacking as (
    select
        days.app_id,
        days.day,
        count(runs.run_id) > 0 as is_in_part
    from days
    left join runs
        on
            runs.command = 'run' and runs.state = 'finished' and days.app_id = any(runs.apps)
            and days.day between runs.period_first and runs.period_last
    group by days.app_id, days.day
    having
        count(runs.run_id) filter (
            where runs.started_at >= cast(days.day + 1 as timestamp) at time zone :timezone
        ) = 0
),

-- Days that follow one another have one island.
numbered as (
    select
        app_id,
        day,
        is_in_part,
        day - cast(row_number() over (partition by app_id, is_in_part order by day) as integer) as island
    from lacking
)

select
    app_id,
    is_in_part,
    min(day) as first_day,
    max(day) as last_day
from numbered
group by app_id, is_in_part, island
order by app_id collate "C", first_day
