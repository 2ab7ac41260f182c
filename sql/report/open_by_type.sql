-- Grain: one row a type, severity and currency of the discrepancies that are open after this run.
-- Purpose: How many are open and what is at stake, for run.json.
-- Reads: result_open_items
-- Makes: none

select
    type,
    severity,
    currency,
    count(*) as count,
    sum(amount) as amount
from result_open_items
group by type, severity, severity_rank, currency
order by severity_rank, type collate "C", currency collate "C"
