-- Grain: one row, how many there are.
-- Purpose: Whether a run of this app for this period is at work: another process fetches for it.
-- Reads: runs
-- Makes: none

select count(*)
from runs
where
    command = 'run' and state = 'running' and :app_id = any(apps)
    and period_first = :first and period_last = :last
