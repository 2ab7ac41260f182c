-- Grain: one row a discrepancy that any of these runs of an app reported: its state after the last of them.
-- Purpose: The open items of a month's close. Currency and amount are null where an item is no longer open.
-- Reads: movements
-- Makes: none

select distinct on (discrepancy_id)
    discrepancy_id,
    type,
    facts,
    currency,
    amount
from movements
where app_id = :app_id and run = any(cast(:runs as integer[]))
order by discrepancy_id asc, run desc
