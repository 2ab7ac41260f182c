-- Grain: one row a key that is none.
-- Purpose: A copy of the keys that are none takes the place of the table until the transaction ends (temporary tables
-- are found first), so that working out a group again touches nothing that a run works on.
-- Reads: policy
-- Makes: crowded_keys, crowded_now

create temp table crowded_now on commit drop as
select crowded_keys.*
from crowded_keys
inner join policy on crowded_keys.app_id = any(policy.app_ids);

create temp table crowded_keys (like crowded_keys including all) on commit drop;

insert into crowded_keys select * from crowded_now;
