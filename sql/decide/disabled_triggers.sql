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
),

wrong as (
    select wanted.name, wanted.of_table, pg_trigger.oid is null as is_gone
    from wanted
    left join pg_trigger on pg_trigger.tgrelid = to_regclass(wanted.of_table) and pg_trigger.tgname = wanted.name
    where pg_trigger.oid is null or pg_trigger.tgenabled <> 'A'
)

select name || ' of ' || of_table || (case when is_gone then ' is gone' else ' rests' end)
from wrong
order by 1
