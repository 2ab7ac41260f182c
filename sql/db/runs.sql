-- Grain: one row a run, the newest first.
-- Purpose: What `reconcile runs` shows.
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
order by started_at desc, run_id desc
limit :limit
