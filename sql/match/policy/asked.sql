-- Grain: one row.
-- Purpose: What this run was asked for: its period, the days of grace, and from when a pending payment is stale. A run
-- that is not recorded (the check of doctor) has the number 0.
-- Reads: runs
-- Makes: asked

insert into asked
select
    :run_id,
    coalesce((select number from runs where run_id = :run_id), 0),
    :first,
    :last,
    greatest(:last, max(period_last)),
    :grace_days,
    :stale_before
from runs
where command = 'run' and state = 'finished' and apps && :app_ids
