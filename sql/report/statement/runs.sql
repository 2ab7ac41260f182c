-- Grain: one row a run of these, in their order, and how many items it said are open.
select
    number,
    run_id,
    report -> 'open' as open
from runs
where number = any(cast(:runs as integer[]))
order by number
