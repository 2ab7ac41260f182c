-- Grain: one row.
-- Purpose: The counts of run.json: how the open discrepancies differ from those of the run that this one follows (of
-- those that came right, their ids), and how many are open above info. They are the movements that the close statement
-- adds up, so that both agree.
-- Reads: asked, movements, reported
-- Makes: none

select
    count(*) filter (where movements.kind = 'new') as new,
    count(*) filter (where movements.kind = 'reopened') as reopened,
    count(*) filter (where movements.kind = 'resolved') as resolved,
    coalesce(
        array_agg(movements.discrepancy_id order by movements.discrepancy_id collate "C")
        filter (where movements.kind = 'cleared'),
        '{}'
    ) as cleared,
    (select count(*) from reported where severity <> 'info' and status <> 'resolved') as open_above_info
from asked
left join movements on movements.run = asked.run_number
