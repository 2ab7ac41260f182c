-- Grain: one row a reported discrepancy with a decision that waits for another person; an earlier one may be in force.
-- A proposal about other facts waits no more.
-- Purpose: What run.json lists of them.
-- Reads: decisions_proposed, result_reported
-- Makes: none

select
    discrepancy_id,
    decisions_proposed.decision,
    decisions_proposed.by_name as by
from result_reported
inner join decisions_proposed using (discrepancy_id, facts)
order by discrepancy_id collate "C"
