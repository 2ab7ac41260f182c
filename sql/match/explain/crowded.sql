-- Grain: one key of the record that is none, because more than 500 records of one side carry it.
select crowded_keys.kind, crowded_keys.key
from crowded_keys
where
    crowded_keys.app_id = :app_id
    and (crowded_keys.kind || '/' || crowded_keys.key) = any(:keys)
order by kind, key
