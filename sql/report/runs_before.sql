-- Grain: one row a finished run of these apps as of the day `last` or an earlier one, the newest day first.
-- Purpose: Which runs the present one can be compared with.
-- Reads: policy, runs
-- Makes: none

select
    runs.number,
    runs.run_id,
    runs.period_first as first,
    runs.period_last as last
from runs
cross join policy
where
    runs.command = 'run' and runs.state = 'finished' and runs.apps @> policy.app_ids and runs.apps <@ policy.app_ids
    and runs.period_last <= cast(:last as date)
order by runs.period_last desc, runs.number desc
