-- Grain: one row a key of the apps that does not count, because too many records of one side carry it.
-- Purpose: The warnings of a run name these keys.
-- Reads: crowded_keys, policy
-- Makes: none

select
    app_id,
    kind,
    key
from crowded_keys
inner join policy on app_id = any(app_ids)
order by app_id collate "C", kind, key collate "C"
