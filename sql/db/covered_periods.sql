-- Grain: one row a period that a finished run of this app covered.
-- Purpose: Which days were reconciled before.
-- Reads: runs
-- Makes: none

select distinct
    period_first,
    period_last
from runs
where command = 'run' and state = 'finished' and :app_id = any(apps)
