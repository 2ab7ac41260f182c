-- Grain: one match that a person made and that nobody took back.
select discrepancy_id, app_id, records
from decisions_in_force
where decision = 'match' and app_id = any(:app_ids)
order by discrepancy_id collate "C"
