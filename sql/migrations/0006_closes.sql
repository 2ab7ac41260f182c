-- Closed months: part of the audit trail. A version of a month is never changed; the next one is added.

-- Grain: one row a version of a closed month.
create table closes (
    close_id bigint primary key,  -- 1, 2, 3 …: counted by the trigger below, without gaps
    month text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    version integer not null check (version > 0),
    content jsonb not null,  -- close.json: the lines, the files with their SHA-256, and what it all rests on
    by_name text not null check (by_name ~ '\S'),
    os_user text not null,
    db_user text not null,
    closed_at timestamptz not null,  -- by the database's clock: when the transaction began
    previous_hash text not null unique,  -- of the close before, of whatever month; empty in the first
    hash text not null,
    unique (month, version)
);

-- Grain: one row in all. How many closes there are and the last one's hash, so that a missing last one is noticed.
create table close_head (
    only_one boolean primary key default true check (only_one),
    records bigint not null,
    hash text not null
);
insert into close_head (records, hash) values (0, '');

-- Grain: one row a file of a closed version. A backup of the database has them all.
create table closed_files (
    month text not null,
    version integer not null,
    name text not null,
    bytes bytea not null,
    primary key (month, version, name),
    foreign key (month, version) references closes (month, version)
);

create function chain_close() returns trigger
language plpgsql
set search_path from current
as $$
begin
    update close_head set records = records + 1
    returning records, hash into new.close_id, new.previous_hash;
    new.db_user := session_user;
    new.closed_at := now();
    new.hash := encode(
        sha256(
            convert_to(
                jsonb_build_array(
                    new.close_id::text, new.month, new.version::text, new.content::text, new.by_name, new.os_user,
                    new.db_user, to_char(new.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    new.previous_hash
                )::text,
                'UTF8'
            )
        ),
        'hex'
    );
    update close_head set hash = new.hash;
    return new;
end
$$;

create or replace function refuse_change() returns trigger
language plpgsql
as $$
begin
    -- A head moves with its chain: only from inside the trigger of that.
    if tg_table_name in ('decision_head', 'close_head') and tg_op = 'UPDATE' and pg_trigger_depth() > 1 then
        return null;
    end if;
    raise exception using
        errcode = 'insufficient_privilege',
        message = tg_op || ' of ' || tg_table_name || ' is refused: the audit trail is only ever added to',
        hint = 'Write another decision, or close the month again; the newest counts.';
end
$$;

create trigger chain before insert on closes for each row execute function chain_close();
create trigger defend before update or delete or truncate on closes
for each statement execute function refuse_change();
create trigger defend before insert or update or delete or truncate on close_head
for each statement execute function refuse_change();
create trigger defend before update or delete or truncate on closed_files
for each statement execute function refuse_change();

alter table closes enable always trigger chain;
alter table closes enable always trigger defend;
alter table close_head enable always trigger defend;
alter table closed_files enable always trigger defend;
