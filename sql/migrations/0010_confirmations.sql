-- A decision that waits for another person, and the same decision of that person.
alter table decisions add column proposed boolean check (proposed);  -- null: it counts at once
alter table decisions add column confirms bigint references decisions;  -- the decision that this one repeats
alter table decisions add constraint only_decisions_stand check (
    decision is not null or (proposed is null and confirms is null)
);
create index on decisions (confirms) where confirms is not null;

create or replace function chain_decision() returns trigger
language plpgsql
set search_path from current
as $$
begin
    update decision_head set records = records + 1
    returning records, hash into new.decision_id, new.previous_hash;
    new.db_user := session_user;
    new.decided_at := clock_timestamp();
    new.hash := encode(
        sha256(
            convert_to(
                (
                    jsonb_build_array(
                        new.decision_id::text, new.discrepancy_id, new.app_id, new.type, new.facts, new.decision,
                        new.records::text, new.note, new.by_name, new.os_user, new.db_user,
                        to_char(new.decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        new.file, new.file_sha256, new.previous_hash
                    )
                    || case when new.assignee is null then '[]' else jsonb_build_array('assignee', new.assignee) end
                    || case when new.due is null then '[]' else jsonb_build_array('due', new.due) end
                    || case when new.proposed is null then '[]' else jsonb_build_array('proposed', 'true') end
                    || case when new.confirms is null then '[]' else jsonb_build_array('confirms', new.confirms::text) end
                )::text,
                'UTF8'
            )
        ),
        'hex'
    );
    update decision_head set hash = new.hash;
    return new;
end
$$;

-- Grain: one row a decision that counts: none that is only proposed. `first_id` is the decision that it repeats, else
-- itself; `deciders` are all who took it so far.
create view decisions_that_count as
select
    decisions.*,
    coalesce(decisions.confirms, decisions.decision_id) as first_id,
    case
        when decisions.confirms is null then decisions.by_name
        else (
            select first_one.by_name from decisions as first_one where first_one.decision_id = decisions.confirms
        ) || ', confirmed by ' || (
            select string_agg(again.by_name, ', ' order by again.decision_id)
            from decisions as again
            where again.confirms = decisions.confirms and again.decision_id <= decisions.decision_id
        )
    end as deciders
from decisions
where decision is not null and proposed is null;

-- As before, of the decisions that count.
create or replace view decisions_in_force as
with decided as (
    select distinct on (discrepancy_id) *
    from decisions_that_count
    order by discrepancy_id asc, decision_id desc
),

said as (
    select
        discrepancy_id,
        min(app_id) as app_id,
        (array_agg(note order by decision_id desc) filter (where note is not null))[1] as note,
        (array_agg(assignee order by decision_id desc) filter (where assignee is not null))[1] as assignee,
        (array_agg(due order by decision_id desc) filter (where due is not null))[1] as due
    from decisions
    where coalesce(note, assignee, due) is not null
    group by discrepancy_id
)

select
    discrepancy_id,
    coalesce(decided.app_id, said.app_id) as app_id,
    decided.decision_id,
    decided.type,
    decided.facts,
    decided.decision,
    decided.records,
    said.note,
    decided.deciders as by_name,
    decided.decided_at,
    nullif(said.assignee, '') as assignee,
    nullif(said.due, '')::date as due
from decided
full join said using (discrepancy_id);

-- Grain: one row a discrepancy whose newest decision is proposed: it waits for another person.
create view decisions_proposed as
select newest.*
from (
    select distinct on (discrepancy_id) *
    from decisions
    where decision is not null
    order by discrepancy_id asc, decision_id desc
) as newest
where newest.proposed;
