-- Grain: one row a key that does not count.
-- Purpose: A temporary copy of the keys that do not count takes the place of the table until the transaction ends
-- (temporary tables are found first). So working out a group again changes nothing that a run uses.
-- Reads: policy
-- Makes: crowded_keys, crowded_now

create temp table crowded_now on commit drop as
select crowded_keys.*
from crowded_keys
inner join policy on crowded_keys.app_id = any(policy.app_ids);

create temp table crowded_keys (like crowded_keys including all) on commit drop;

insert into crowded_keys select * from crowded_now;
