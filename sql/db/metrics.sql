-- Grain: one row an app: how its runs ended, and its newest finished one of the newest as-of day.
-- Purpose: What `reconcile metrics` shows.
-- Reads: runs
-- Makes: none

select
    one.app_id,
    count(*) filter (where runs.state = 'finished') as finished,
    count(*) filter (where runs.state = 'failed') as failed,
    (array_agg(runs.state order by runs.finished_at desc))[1] as last_state,
    max(runs.finished_at) filter (where runs.state = 'finished') as succeeded_at,
    (
        array_agg(runs.report order by runs.period_last desc, runs.finished_at desc)
        filter (where runs.state = 'finished')
    )[1] as report
from runs
cross join unnest(runs.apps) as one (app_id)
where runs.command = 'run' and runs.state <> 'running'
group by one.app_id
order by one.app_id collate "C"
