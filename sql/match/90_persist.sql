-- Writes the results beside those of the nights before, and touches no row that stays as it was.
-- A discrepancy is cleared when the data came right: it is nowhere found any more. One that a day
-- earlier than the newest as-of day would not yet call stale is not cleared by that.

delete from matches as held using policy
where
    held.app_id = any(policy.app_ids)
    and not exists (select from match where match.match_id = held.match_id and match.rule = held.rule);

insert into matches (match_id, app_id, rule)
select match_id, app_id, rule
from match
on conflict do nothing;

insert into match_records (app_id, source, side, record_id, match_id)
select member.app_id, member.source, member.side, member.record_id, match.match_id
from member
inner join match using (m)
where not exists (
    select from match_records as held
    where
        held.app_id = member.app_id and held.source = member.source and held.side = member.side
        and held.record_id = member.record_id and held.match_id = match.match_id
);

create temp table news on commit drop as
select reported.discrepancy_id
from reported
left join discrepancies as held using (discrepancy_id)
where held.discrepancy_id is null or held.cleared_by is not null;

create temp table cleared on commit drop as
select held.discrepancy_id
from discrepancies as held
cross join policy
left join found using (discrepancy_id)
where
    held.app_id = any(policy.app_ids) and held.cleared_by is null
    and (found.d is null or (not found.due and policy.period_last >= policy.newest_as_of));

update discrepancies as held set cleared_by = policy.run_id
from policy
where held.discrepancy_id in (select discrepancy_id from cleared);

insert into discrepancies as held (
    discrepancy_id, app_id, side, source, record_id, aspect, type, severity, facts, first_seen
)
select
    discrepancy_id, app_id, side, source, record_id, aspect, type, severity, facts, policy.period_last
from reported
cross join policy
on conflict (discrepancy_id) do update set
    type = excluded.type,
    severity = excluded.severity,
    facts = excluded.facts,
    first_seen = least(held.first_seen, excluded.first_seen),
    cleared_by = null
where
    (held.type, held.severity, held.facts, held.cleared_by) is distinct from
    (excluded.type, excluded.severity, excluded.facts, null)
    or excluded.first_seen < held.first_seen;
