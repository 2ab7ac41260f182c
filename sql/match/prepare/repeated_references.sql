-- Grain: one row a reference, by its hash, that stands in several rows.
-- Purpose: References that stand in several rows, by their hash: two that share one merely go through the passes.
-- Reads: joined_by_reference
-- Makes: several

create temp table several on commit drop as
select key_hash
from joined_by_reference
where key_hash is not null
group by key_hash
having count(*) > 1;
