-- Grain: one row a match that a person made and nobody took back.
-- Purpose: The matches that a new one must not contradict.
-- Reads: decisions_in_force
-- Makes: none

select discrepancy_id, app_id, records
from decisions_in_force
where decision = 'match' and app_id = any(:app_ids)
order by discrepancy_id collate "C"
