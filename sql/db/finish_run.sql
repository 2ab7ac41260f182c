-- Grain: one row, the run that is done.
-- Purpose: Marks a run as finished and keeps its run.json.
-- Reads: none
-- Makes: runs

update runs set
    state = 'finished',
    finished_at = clock_timestamp(),
    error = null,
    report = cast(:report as jsonb)
where run_id = :run_id
