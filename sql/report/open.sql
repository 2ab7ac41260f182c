-- Grain: one row an app and currency of the discrepancies that are open after this run.
-- Purpose: How many items are open and what is at stake, for run.json.
-- Reads: result_open_items
-- Makes: none

select
    app_id,
    currency,
    count(*) as count,
    sum(amount) as amount
from result_open_items
group by app_id, currency
order by app_id collate "C", currency collate "C"
