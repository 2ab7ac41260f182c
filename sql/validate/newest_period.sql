-- Grain: one row, the newest finished run of any of these apps; none if there is none.
-- Purpose: The period that `reconcile validate` checks the results of.
-- Reads: runs
-- Makes: none

select
    period_first,
    period_last
from runs
where command = 'run' and state = 'finished' and apps && cast(:apps as text[])
order by number desc
limit 1
