-- Grain: one row a movement of an open item in these runs of an app, in their order.
-- Purpose: What moved the open items between two closes, with the newest decision on an item that its run knew,
-- and all who took it.
-- Reads: decisions, decisions_that_count, movements, runs
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
    decided.deciders as by,
    decided.people
from movements
inner join runs on runs.number = movements.run
left join lateral (
    select
        counted.decision,
        counted.deciders,
        (
            select array_agg(one.by_name order by one.decision_id)
            from decisions as one
            where
                counted.first_id in (one.decision_id, one.confirms)
                and one.decision_id <= counted.decision_id
        ) as people
    from decisions_that_count as counted
    where
        counted.discrepancy_id = movements.discrepancy_id
        and counted.decision_id <= cast(runs.report #>> '{decisions,records}' as bigint)
    order by decision_id desc
    limit 1
) as decided on movements.kind in ('resolved', 'reopened')
where movements.app_id = :app_id and movements.run = any(cast(:runs as integer[]))
order by movements.run, movements.discrepancy_id collate "C"
