-- Grain: one row a type: how many reported discrepancies are not resolved; the most severe types first.
-- Purpose: The counts of run.json.
-- Reads: discrepancy_type, reported
-- Makes: none

select
    type,
    count(*)
from reported
where status <> 'resolved'
group by type
order by
    min(array_position((select array_agg(severity order by severity_rank) from discrepancy_type), severity)),
    type collate "C"
