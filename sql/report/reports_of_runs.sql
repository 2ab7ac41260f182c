-- Grain: one row a run of `runs`.
-- Purpose: What earlier runs reported, for the trend and the comparisons of the page.
-- Reads: runs
-- Makes: none

select
    number,
    report -> 'discrepancies' as discrepancies,
    report -> 'new' as new,
    report -> 'cleared' as cleared,
    report -> 'totals' as totals,
    report -> 'open' as open,
    report -> 'at_a_glance' as at_a_glance
from runs
where number = any(cast(:runs as bigint[]))
