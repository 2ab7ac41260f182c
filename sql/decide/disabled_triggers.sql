-- Grain: one row a trigger that protects decisions or closed months and is gone, or does not always fire.
-- Purpose: Notices that the database no longer protects the audit trail.
-- Reads: none
-- Makes: none

with wanted (name, of_table) as (
    values
    ('chain', 'decisions'),
    ('defend', 'decisions'),
    ('defend', 'decision_head'),
    ('chain', 'closes'),
    ('defend', 'closes'),
    ('defend', 'close_head'),
    ('defend', 'closed_files'),
    ('defend', 'journal_exports')
)

select wanted.name || ' of ' || wanted.of_table || (case when pg_trigger.oid is null then ' is gone' else ' rests' end)
from wanted
left join pg_trigger on pg_trigger.tgrelid = to_regclass(wanted.of_table) and pg_trigger.tgname = wanted.name
where pg_trigger.oid is null or pg_trigger.tgenabled <> 'A'
order by 1
