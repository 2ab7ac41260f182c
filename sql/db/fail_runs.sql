-- Grain: one row a run that failed.
-- Purpose: Marks runs as failed, with the line that says why, unless one that lost its database has said so.
-- Reads: none
-- Makes: runs

update runs set
    state = 'failed',
    finished_at = clock_timestamp(),
    error = coalesce(error, :error)
where run_id = any(:run_ids) and state = 'running'
