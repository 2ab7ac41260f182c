-- Grain: one row a window that this run fetched, as run.json and the page tell it.
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
