-- Grain: one row a discrepancy of these.
-- Purpose: What the items of a statement are about, and the newest of the first notes (`head` decisions and notes).
-- Reads: decisions, discrepancies
-- Makes: none

select
    discrepancy_id,
    side,
    record_id,
    (
        select note
        from decisions
        where
            decisions.discrepancy_id = discrepancies.discrepancy_id
            and decisions.note is not null
            and decisions.decision_id <= :head
        order by decision_id desc
        limit 1
    ) as note
from discrepancies
where discrepancy_id = any(cast(:ids as text[]))
