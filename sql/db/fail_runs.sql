update runs set
    state = 'failed',
    finished_at = clock_timestamp(),
    error = :error
where run_id = any(:run_ids) and state = 'running'
