-- Grain: one possible pair of one pass, the best of each phase first.
-- Purpose: Says which pairs were possible, and why the better one won.
-- Reads: seen
-- Makes: none

select *
from seen
order by phase, pair_rank, rule
