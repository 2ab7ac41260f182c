-- What people decided: an audit trail that only grows, and that the database itself defends. Each
-- record carries the hash of the one before, so that no later change of any of them goes unnoticed.

create table decisions (
    decision_id bigint primary key,  -- 1, 2, 3 …: counted by the trigger below, without gaps
    discrepancy_id text not null,
    app_id text not null,
    type text not null,  -- of the discrepancy when it was decided
    facts text not null,  -- of the discrepancy: what the decision rests on
    decision text check (decision in ('accept', 'write_off', 'ignore', 'match', 'reopen')),  -- null: only a note
    records jsonb,  -- of a match: all that it joins, [{"side", "source", "record_id", "facts"}, …]
    note text,
    by_name text not null check (by_name ~ '\S'),
    os_user text not null,
    db_user text not null,
    decided_at timestamptz not null,  -- by the database's clock
    file text not null,  -- the base name only
    file_sha256 text not null,
    previous_hash text not null unique,  -- of the record before; empty in the first. Unique: a chain has no forks
    hash text not null,
    check ((decision is not distinct from 'match') = (records is not null)),
    check (decision is not null or note is not null)
);
create index on decisions (discrepancy_id, decision_id);

-- How many there are and the last one's hash, so that a missing last record is noticed too. The lock
-- of its one row is what makes those who decide at the same time take turns.
create table decision_head (
    only_one boolean primary key default true check (only_one),
    records bigint not null,
    hash text not null
);
insert into decision_head (records, hash) values (0, '');

-- The hash is the SHA-256 of the record as a JSON array of texts, so that a plain program can verify
-- it as well: `reconcile doctor` does so without calling this function.
create function chain_decision() returns trigger
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
                jsonb_build_array(
                    new.decision_id::text, new.discrepancy_id, new.app_id, new.type, new.facts, new.decision,
                    new.records::text, new.note, new.by_name, new.os_user, new.db_user,
                    to_char(new.decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    new.file, new.file_sha256, new.previous_hash
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

create function refuse_change() returns trigger
language plpgsql
as $$
begin
    -- The head moves with the chain: only from inside the trigger above.
    if tg_table_name = 'decision_head' and tg_op = 'UPDATE' and pg_trigger_depth() > 1 then
        return null;
    end if;
    raise exception using
        errcode = 'insufficient_privilege',
        message = tg_op || ' of ' || tg_table_name || ' is refused: decisions are only ever added to',
        hint = 'Write another decision; the newest one counts.';
end
$$;

create trigger chain before insert on decisions for each row execute function chain_decision();
create trigger defend before update or delete or truncate on decisions
for each statement execute function refuse_change();
create trigger defend before insert or update or delete or truncate on decision_head
for each statement execute function refuse_change();

-- Also in a session that replays changes (session_replication_role), where triggers rest otherwise.
alter table decisions enable always trigger chain;
alter table decisions enable always trigger defend;
alter table decision_head enable always trigger defend;

-- Grain: one row a discrepancy that anybody decided or noted anything about: the newest decision
-- (`reopen` included; null where there are only notes) and the newest note, which may be a later one.
create view decisions_in_force as
with decided as (
    select distinct on (discrepancy_id) *
    from decisions
    where decision is not null
    order by discrepancy_id, decision_id desc
),

noted as (
    select distinct on (discrepancy_id) discrepancy_id, app_id, note
    from decisions
    where note is not null
    order by discrepancy_id, decision_id desc
)

select
    discrepancy_id,
    coalesce(decided.app_id, noted.app_id) as app_id,
    decided.decision_id,
    decided.type,
    decided.facts,
    decided.decision,
    decided.records,
    noted.note,
    decided.by_name,
    decided.decided_at
from decided
full join noted using (discrepancy_id);
