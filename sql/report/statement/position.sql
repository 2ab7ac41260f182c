-- Grain: one row an app: the run whose open items are those of a day.
-- Purpose: Of the runs as of that day or an earlier one, the newest run of the latest day.
-- Reads: run_bases, runs
-- Makes: none

select distinct on (run_bases.app_id)
    run_bases.app_id,
    run_bases.run,
    run_bases.as_of,
    runs.run_id,
    runs.report -> 'open' as open,
    (runs.report #>> '{decisions,records}')::bigint as decisions
from run_bases
inner join runs on runs.number = run_bases.run
where run_bases.as_of <= :day
order by run_bases.app_id asc, run_bases.as_of desc, run_bases.run desc
