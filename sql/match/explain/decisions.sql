-- Grain: one record of the audit trail about one of some discrepancies, or of a match that joins the record; the oldest
-- first.
-- Purpose: `newest` is whether it is the one that counts.
-- Reads: by_hand, decisions, decisions_in_force, decisions_proposed
-- Makes: none

with standing as (select distinct decision_id from by_hand)

select
    decisions.decision_id,
    decisions.discrepancy_id,
    decisions.type,
    decisions.facts,
    decisions.decision,
    decisions.records,
    decisions.note,
    decisions.assignee,
    decisions.due,
    decisions.proposed,
    decisions.confirms,
    decisions.by_name,
    decisions.os_user,
    decisions.decided_at,
    decisions.file,
    decisions.file_sha256,
    decisions_in_force.decision_id is not null as newest,
    standing.decision_id is not null as stands,
    decisions_proposed.decision_id is not null as waits
from decisions
left join decisions_in_force using (decision_id)
left join decisions_proposed on decisions_proposed.decision_id = decisions.decision_id
left join standing on standing.decision_id = decisions.decision_id
where
    decisions.app_id = :app_id
    and (
        decisions.discrepancy_id = any(:ids)
        or decisions.records
        @> jsonb_build_array(
            jsonb_build_object(
                'side', cast(:side as text), 'source', cast(:source as text), 'record_id', cast(:record_id as text)
            )
        )
    )
order by decisions.decision_id
