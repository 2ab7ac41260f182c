-- Grain: one row, the run of this id; for `latest` the newest finished one of the newest as-of day.
-- Purpose: What is known of a run.
-- Reads: runs
-- Makes: none

select
    run_id,
    command,
    apps,
    period_first,
    period_last,
    state,
    started_at,
    finished_at,
    folder,
    error,
    report
from runs
where run_id = :run_id or (:run_id = 'latest' and command = 'run' and state = 'finished')
order by period_last desc, finished_at desc
limit 1
