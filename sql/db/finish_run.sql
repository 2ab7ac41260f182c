update runs set
    state = 'finished',
    finished_at = clock_timestamp(),
    report = cast(:report as jsonb)
where run_id = :run_id
