-- Grain: one row, the newest such run; none if there is none.
-- Purpose: The finished run that made up for a night which comes late: as of the same day, begun after the night was
-- due, and with all of its days.
-- Reads: runs
-- Makes: none

select run_id
from runs
where
    command = 'run' and state = 'finished' and period_last = :as_of and period_first <= :first and started_at >= :due
    and apps @> cast(:apps as text[])
order by number desc
limit 1
