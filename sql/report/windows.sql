-- Grain: one row a window that this run fetched.
-- Purpose: What was fetched, for run.json and the page.
-- Reads: fetched_windows
-- Makes: none

select
    app_id,
    window_first as first,
    window_last as last,
    pages,
    records,
    distinct_ids,
    passes,
    proof
from fetched_windows
where run_id = :run_id
order by app_id collate "C", number
