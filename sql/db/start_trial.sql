-- Grain: one row, the run that is tried.
-- Purpose: Records a run that is taken back. It takes its number from no sequence, which would not be taken back.
-- Reads: runs
-- Makes: runs

insert into runs (run_id, command, apps, period_first, period_last, number)
overriding system value
select
    :run_id,
    'run',
    cast(:apps as text[]),
    cast(:first as date),
    cast(:last as date),
    coalesce(max(number), 0) + 1
from runs
