-- Grain: one row a reference, by its hash, that joins more than one pair.
-- Purpose: Pairs of these references are not simple. Two references with one hash only send their records through the
-- passes.
-- Reads: joined_by_reference
-- Makes: several

create temp table several on commit drop as
select key_hash
from joined_by_reference
where key_hash is not null
group by key_hash
having count(*) > 1;
