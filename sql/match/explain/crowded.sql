-- Grain: one key of the record that does not count, because too many records of one side carry it.
-- Purpose: Says why nothing was matched by a key.
-- Reads: crowded_keys
-- Makes: none

select crowded_keys.kind, crowded_keys.key
from crowded_keys
where
    crowded_keys.app_id = :app_id
    and (crowded_keys.kind || '/' || crowded_keys.key) = any(:keys)
order by kind, key
