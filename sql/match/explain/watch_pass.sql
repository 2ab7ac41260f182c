-- Grain: one row a possible pair of one pass.
-- Purpose: Keeps the possible pairs of the running pass as they were ranked, with all that they were ranked by.
-- Reads: candidate, pass
-- Makes: seen

create temp table if not exists seen on commit drop as
select pass.phase, pass.rule, candidate.*
from pass
cross join candidate
with no data;

insert into seen
select pass.phase, pass.rule, candidate.*
from pass
cross join candidate
