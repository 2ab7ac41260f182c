-- Grain: one row a discrepancy that any of these runs of an app reported, each of which follows another: what it
-- is after the last. Currency and amount are null where it is no longer open.
select distinct on (discrepancy_id)
    discrepancy_id,
    type,
    facts,
    currency,
    amount
from movements
where app_id = :app_id and run = any(cast(:runs as integer[]))
order by discrepancy_id asc, run desc
