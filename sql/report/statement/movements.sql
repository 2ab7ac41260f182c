-- Grain: one row a movement of an open item in these runs of an app, in their order.
-- Purpose: What moved the open items between two closes, with the newest decision on an item when its run ended.
-- Reads: decisions, movements, runs
-- Makes: none

select
    movements.run,
    movements.discrepancy_id,
    movements.kind,
    movements.type,
    movements.facts,
    movements.currency,
    movements.amount,
    runs.run_id,
    runs.period_last as as_of,
    decided.decision,
    decided.by_name as by
from movements
inner join runs on runs.number = movements.run
left join lateral (
    select
        decision,
        by_name
    from decisions
    where
        decisions.discrepancy_id = movements.discrepancy_id
        and decisions.decision is not null
        and decisions.decided_at <= runs.finished_at
    order by decision_id desc
    limit 1
) as decided on movements.kind in ('resolved', 'reopened')
where movements.app_id = :app_id and movements.run = any(cast(:runs as integer[]))
order by movements.run, movements.discrepancy_id collate "C"
