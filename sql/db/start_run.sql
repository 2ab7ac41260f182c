-- Grain: one row, the new run; none if another run has this id.
-- Purpose: Records that a run begins.
-- Reads: none
-- Makes: runs

insert into runs (run_id, command, apps, period_first, period_last, folder)
values (:run_id, :command, :apps, :first, :last, :folder)
on conflict do nothing
