select
    discrepancy_id,
    facts,
    decision,
    records,
    note,
    by_name,
    decided_at
from decisions
where discrepancy_id = any(:ids)
order by decision_id
