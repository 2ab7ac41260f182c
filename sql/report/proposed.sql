-- Grain: one row an open discrepancy with a decision that waits for another person.
-- Purpose: What run.json lists of them.
-- Reads: decisions_proposed, result_reported
-- Makes: none

select
    discrepancy_id,
    decisions_proposed.decision,
    decisions_proposed.by_name as by
from result_reported
inner join decisions_proposed using (discrepancy_id)
where result_reported.status <> 'resolved'
order by discrepancy_id collate "C"
