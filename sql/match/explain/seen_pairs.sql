-- Grain: one possible pair of one pass, the best of each phase first.
select *
from seen
order by phase, pair_rank, rule
