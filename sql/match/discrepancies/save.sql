-- Grain: one row a discrepancy.
-- Purpose: Updates the discrepancies of the nights before, and touches no row that does not change. A discrepancy is
-- cleared when the data came right: it is no longer found, and not because a person joined its records. A run as of an
-- earlier day than the newest does not clear a payment that is only not yet stale on that day.
-- Reads: asked, discrepancies, found, joined_by_hand, policy, reported
-- Makes: cleared, discrepancies, discrepancy_versions

create temp table cleared on commit drop as
select held.discrepancy_id
from discrepancies as held
cross join asked
inner join policy on held.app_id = any(policy.app_ids)
left join found using (discrepancy_id)
where
    held.cleared_by is null
    and (found.found_no is null or (not found.due and asked.period_last >= asked.newest_as_of))
    and held.discrepancy_id not in (select discrepancy_id from joined_by_hand);

insert into discrepancy_versions (app_id, discrepancy_id, type, severity, facts, cleared_by, replaced_by)
select held.app_id, held.discrepancy_id, held.type, held.severity, held.facts, held.cleared_by, asked.run_id
from discrepancies as held
cross join asked
left join reported using (discrepancy_id)
where
    held.discrepancy_id in (select discrepancy_id from cleared)
    or (held.type, held.severity, held.facts) is distinct from (reported.type, reported.severity, reported.facts)
    and reported.found_no is not null
    or held.cleared_by is not null and reported.found_no is not null;

update discrepancies as held set cleared_by = asked.run_id
from asked
where held.discrepancy_id in (select discrepancy_id from cleared);

insert into discrepancies as held (
    discrepancy_id, app_id, side, source, record_id, aspect, type, severity, facts, first_seen
)
select
    discrepancy_id, app_id, side, source, record_id, aspect, type, severity, facts, asked.period_last
from reported
cross join asked
on conflict (discrepancy_id, app_id) do update set
    type = excluded.type,
    severity = excluded.severity,
    facts = excluded.facts,
    first_seen = least(held.first_seen, excluded.first_seen),
    cleared_by = null
where
(held.type, held.severity, held.facts, held.cleared_by) is distinct from
(excluded.type, excluded.severity, excluded.facts, null)
or excluded.first_seen < held.first_seen;
