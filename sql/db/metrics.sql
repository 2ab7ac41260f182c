-- Grain: one row a set of apps that runs were started for: its newest run that ended, and its newest finished one.
-- Purpose: What `reconcile metrics` shows.
-- Reads: runs
-- Makes: none

select
    apps,
    count(*) filter (where state = 'finished') as finished,
    count(*) filter (where state = 'failed') as failed,
    (array_agg(state order by finished_at desc))[1] as last_state,
    max(finished_at) as ended_at,
    max(finished_at) filter (where state = 'finished') as succeeded_at,
    (array_agg(report order by finished_at desc) filter (where state = 'finished'))[1] as report
from runs
where command = 'run' and state <> 'running'
group by apps
order by apps collate "C"
