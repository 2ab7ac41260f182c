-- Grain: one row, the run that lost its database.
-- Purpose: Keeps why, for when the run is marked as failed. Who marked it without knowing why is corrected.
-- Reads: none
-- Makes: runs

update runs set error = :error
where run_id = :run_id and (state = 'running' or (state = 'failed' and error = :unknown))
