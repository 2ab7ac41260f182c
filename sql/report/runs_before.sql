-- Grain: one row a finished run of these apps, the newest first, without the present one.
-- Purpose: The trend on the page: what earlier runs reported.
-- Reads: policy, runs
-- Makes: none

select
    run_id,
    period_last as "to",
    report -> 'discrepancies' as discrepancies,
    report -> 'new' as new,
    report -> 'cleared' as cleared,
    report -> 'totals' as totals
from runs
cross join policy
where
    command = 'run' and state = 'finished' and apps @> policy.app_ids and apps <@ policy.app_ids
order by finished_at desc, number desc
limit 29
