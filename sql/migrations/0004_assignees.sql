-- Who looks after a discrepancy, and until when. They decide nothing; like notes they are only ever added to.
alter table decisions add column assignee text;  -- null: nothing is said of it; empty: nobody any more
alter table decisions add column due text;  -- likewise; YYYY-MM-DD
alter table decisions drop constraint decisions_check1;
alter table decisions add constraint says_something check (
    coalesce(decision, note, assignee, due) is not null
);
alter table decisions add constraint due_is_a_day check (due ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2})?$');

-- As before. What later migrations add stands behind, each with its name, and only where it is given, so that the
-- hashes of older decisions stay.
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

-- Grain: one row a discrepancy that anybody decided, noted or assigned: the newest decision (`reopen` included; null
-- where there is none), the newest note, assignee and due day, which may be of other records.
create or replace view decisions_in_force as
with decided as (
    select distinct on (discrepancy_id) *
    from decisions
    where decision is not null
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
    decided.by_name,
    decided.decided_at,
    nullif(said.assignee, '') as assignee,
    nullif(said.due, '')::date as due
from decided
full join said using (discrepancy_id);
