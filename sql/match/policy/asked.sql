-- Grain: one row.
-- Purpose: What this run goes by. The number of a run that is not recorded (a look by doctor) is 0.
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
