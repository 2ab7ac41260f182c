-- Grain: one row a rule that matched a record of the period: how many matches.
-- Purpose: The counts of run.json.
-- Reads: outside_match, tally
-- Makes: none

with counted as (
    select rule, matches from tally
    union all
    select rule, 1 from outside_match
)

select
    rule,
    sum(matches)::bigint as matches
from counted
group by rule
having sum(matches) > 0
order by rule collate "C"
