-- Grain: one row a window that was read to its end.
-- Purpose: Records what was fetched and why nothing is missing.
-- Reads: none
-- Makes: fetched_windows

insert into fetched_windows (
    run_id, app_id, number, window_first, window_last, pages, records, distinct_ids, passes, first_created_at,
    last_created_at, total, proof
)
values (
    :run_id, :app_id, :number, :window_first, :window_last, :pages, :records, :distinct_ids, :passes,
    :first_created_at, :last_created_at, :total, :proof
)
