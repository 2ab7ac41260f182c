-- Grain: one row a run of these, in their order.
-- Purpose: How many items each run said are open.
-- Reads: runs
-- Makes: none

select
    number,
    run_id,
    report -> 'open' as open
from runs
where number = any(cast(:runs as integer[]))
order by number
