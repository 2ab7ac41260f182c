-- Grain: one row a finished run that wrote down how many decisions there were and the last one's hash; the oldest last.
select
    run_id,
    (report -> 'decisions' ->> 'records')::bigint as records,
    report -> 'decisions' ->> 'hash' as hash
from runs
where state = 'finished' and report ? 'decisions'
order by finished_at desc
