-- Grain: one row a finished run whose run.json says how many decisions there were and the last one's hash, the newest
-- first.
-- Purpose: Lets a change of the audit trail be noticed: the reports are its witnesses.
-- Reads: runs
-- Makes: none

select
    run_id,
    (report -> 'decisions' ->> 'records')::bigint as records,
    report -> 'decisions' ->> 'hash' as hash
from runs
where state = 'finished' and report ? 'decisions'
order by finished_at desc
