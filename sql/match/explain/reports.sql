-- Grain: one finished run of an app, the oldest first, and where its files are.
-- Purpose: Finds the reports that show a discrepancy.
-- Reads: runs
-- Makes: none

select run_id, period_first, period_last, folder
from runs
where command = 'run' and state = 'finished' and :app_id = any(apps) and folder is not null
order by number
