-- Keeps the possible pairs of the running pass as they were ranked.
insert into seen
select phase, rule, t, e, rank
from candidate
cross join pass
