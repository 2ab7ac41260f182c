-- Grain: one row a record as it was read, repeats included until it is taken in; the other tables say theirs.
-- Purpose: The tables that COPY fills, batch after batch. They end with the connection, so a fetch or an import that
-- fails leaves nothing behind.
-- Reads: entries, transactions
-- Makes: resting, staged_entries, staged_rejections, staged_scope, staged_transactions, this_import, this_load

create temp table staged_transactions (
    like transactions,
    file text not null,
    row_number integer not null,
    came text,  -- the record as it came, of one that was typed by itself; else it came as it is typed
    fetched_first date,  -- likewise: the days that were asked for
    fetched_last date
);

create temp table staged_entries (
    like entries,
    file text not null,
    row_number integer not null,
    came text  -- as above
);

-- These a record gets when it is taken in.
alter table staged_transactions drop column number, drop column changed_in;
alter table staged_entries drop column number, drop column changed_in, drop column loaded_in, drop column withdrawn;

-- Grain: one row an app: the number that its changed records carry from now on.
create temp table this_load (app_id text primary key, load_id integer not null);

create temp table staged_rejections (
    app_id text not null,
    side text not null,
    source text not null,
    record_id text,
    file text not null,
    row_number integer not null,
    field text not null,
    value text not null,
    reason text not null,
    raw text not null,
    currency text,
    amount numeric,
    dated_on date,
    dated_at timestamptz,
    fetched_first date,  -- of KS Pay's: the days that were asked for
    fetched_last date,
    typed text  -- as `raw`, of a record that could be typed
);

-- Grain: one row an app and file of an import, or an app and range of days of a fetch: what was read.
create temp table staged_scope (
    app_id text not null,
    side text not null,
    source text not null,
    file text,
    fetched_first date,
    fetched_last date
);

-- Grain: one row, of an import: what it is, and its number once that is known.
create temp table this_import (
    import_id bigint,
    is_new boolean,
    sha256 text not null,
    snapshot_timezone text,  -- of a snapshot: in which its days are counted
    timezone text  -- in which the days of any import are counted; null where nobody asks what it lacks
);

-- Grain: one row an index that rests: the statement that makes it again.
create temp table resting (statement text not null);

-- What the status of an entry says: case does not matter, and blank is paid. Letters of ASCII are folded first, and
-- alike in every database: in a Turkish one, `I` would not become `i`.
create function pg_temp.said(status text) returns text language sql immutable parallel safe as $$
select coalesce(nullif(translate(lower(lower(status collate "C") collate "default"), E' -_\t\u00a0', ''), ''), 'paid')
$$;

-- Indexes are made faster at the end than kept up for every row: those of a table that is still empty rest while
-- many rows arrive, unless somebody else looks at it just then. Emptied once more, the table needs no write-ahead
-- log in this transaction where there is no replica.
create function pg_temp.rest_indexes(filled regclass, arriving bigint) returns void language plpgsql as $$
declare
    used boolean;
    one record;
begin
    -- Looked at before it is locked too: nobody waits for the lock of a table that is in use.
    execute format('select exists (select from %s)', filled) into used;
    if used or arriving <= 10000 then
        return;
    end if;
    begin
        execute format('lock table %s in access exclusive mode nowait', filled);
    exception when lock_not_available then
        return;
    end;
    execute format('select exists (select from %s)', filled) into used;
    if used then
        return;
    end if;
    execute format('truncate %s', filled);
    insert into resting
    select format('alter table %s add constraint %I %s', filled, conname, pg_get_constraintdef(oid))
    from pg_constraint
    where conrelid = filled and contype = 'p';
    insert into resting
    -- Of a table that is divided: of all its partitions.
    select replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
    from pg_index
    where indrelid = filled and not indisprimary;
    for one in
        select
            case
                when indisprimary then format('alter table %s drop constraint %I', filled, relname)
                else format('drop index %I', relname)
            end as statement
        from pg_index
        inner join pg_class on pg_class.oid = indexrelid
        where indrelid = filled
    loop
        execute one.statement;
    end loop;
end
$$;

create function pg_temp.wake_indexes() returns void language plpgsql as $$
declare
    woken record;
begin
    for woken in select statement from resting loop
        execute woken.statement;
    end loop;
    delete from resting;
end
$$;
