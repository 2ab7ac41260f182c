-- Grain: one row a discrepancy that a decision file names, with what was decided and noted about it so far.
-- Purpose: What the rows of the file are checked against.
-- Reads: decisions, decisions_in_force, discrepancies, movements
-- Makes: none

select
    discrepancies.discrepancy_id,
    discrepancies.app_id,
    discrepancies.side,
    discrepancies.source,
    discrepancies.record_id,
    discrepancies.aspect,
    discrepancies.type,
    discrepancies.facts,
    discrepancies.cleared_by,
    stake.currency,
    stake.amount,
    decisions_in_force.decision,
    decisions_in_force.facts as decided_facts,
    decisions_in_force.records as decided_records,
    decisions_in_force.by_name as decided_by,
    decisions_in_force.decided_at,
    decisions_in_force.note,
    coalesce(decisions_in_force.assignee, '') as assignee,
    coalesce(decisions_in_force.due::text, '') as due,
    (
        select array_agg(decisions.note)
        from decisions
        where decisions.discrepancy_id = discrepancies.discrepancy_id and decisions.note is not null
    ) as notes
from discrepancies
left join decisions_in_force using (discrepancy_id)
left join lateral (
    select currency, amount
    from movements
    where
        movements.app_id = discrepancies.app_id and movements.discrepancy_id = discrepancies.discrepancy_id
        and amount is not null
    order by run desc
    limit 1
) as stake on true
where discrepancies.discrepancy_id = any(:ids)
