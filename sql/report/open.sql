-- Grain: one row an app, severity and currency of the discrepancies that are open after this run.
-- Purpose: How many items are open and what is at stake, for run.json.
-- Reads: result_open_items
-- Makes: none

select
    app_id,
    severity,
    currency,
    count(*) as count,
    sum(amount) as amount
from result_open_items
group by app_id, severity, severity_rank, currency
order by app_id collate "C", severity_rank, currency collate "C"
