-- Grain: one row, the run that failed before it was recorded; none if it is recorded already.
-- Purpose: Records a failure that was kept in a file, with the time at which it happened.
-- Reads: none
-- Makes: runs

insert into runs (run_id, command, apps, period_first, period_last, state, started_at, finished_at, error)
values (:run_id, :command, :apps, :first, :last, 'failed', :at, :at, :error)
on conflict do nothing
