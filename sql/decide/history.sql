-- Grain: one row a decision or note on these discrepancies, in their order.
-- Purpose: What was decided before, so that the same file again adds nothing.
-- Reads: decisions
-- Makes: none

select
    discrepancy_id,
    facts,
    decision,
    records,
    note,
    assignee,
    due,
    proposed,
    confirms,
    decision_id,
    by_name,
    decided_at
from decisions
where discrepancy_id = any(:ids)
order by decision_id
