-- Grain: a function, gone with the session.
-- Purpose: `pg_temp.partition` divides a table by app, and a table of former states also by the month in which they
-- were replaced. It adds what is lacking: partitions of new apps, and of months to come. Every key holds the app, so a
-- record stays unique by app and id. A month could not be in the key of the records: the same id could then be there
-- twice, in two months. The numbers of records are unique within each partition, and come from one sequence.
-- Reads: none
-- Makes: none

create or replace function pg_temp.add_partition(
    parent text, rest text, child text, bounds text, condition text, further text
) returns bigint language plpgsql as $$
declare
    moved bigint;
begin
    if to_regclass(format('%I', child)) is not null then
        return 0;
    end if;
    execute format('create table %I (like %I including defaults including constraints) %s', child, parent, further);
    if further <> '' then
        execute format('create table %I partition of %I default', child || '_rest', child);
    end if;
    execute format(
        'with moved as (delete from %I where %s returning *) insert into %I select * from moved', rest, condition, child
    );
    get diagnostics moved = row_count;
    execute format('alter table %I attach partition %I for values %s', parent, child, bounds);
    return moved;
end
$$;

create or replace function pg_temp.partition(parent text, app_ids text[], by_month boolean) returns bigint
language plpgsql as $$
declare
    whole text := parent || '_whole';
    rest text := parent || '_rest';
    is_new boolean := (select relkind = 'r' from pg_class where oid = parent::regclass);
    numbered text := pg_get_serial_sequence(parent, 'number');
    keys text[] := '{}';
    app text;
    child text;
    month date;
    moved bigint := 0;
    made text;
begin
    execute format('lock table %I in access exclusive mode', parent);
    if is_new then
        keys := array(
            select format('alter table %I add %s', parent, pg_get_constraintdef(oid))
            from pg_constraint where conrelid = parent::regclass and contype = 'p'
        ) || array(
            select pg_get_indexdef(indexrelid)
            from pg_index where indrelid = parent::regclass and not indisunique
            order by indexrelid
        );
        execute format('alter table %I rename to %I', parent, whole);
        execute format(
            'create table %I (like %I including defaults including constraints including identity) '
            'partition by list (app_id)', parent, whole
        );
        execute format('create table %I partition of %I default', rest, parent);
    end if;
    foreach app in array app_ids loop
        child := parent || '_' || app;
        if octet_length(child) > 50 then
            child := parent || '_' || md5(app);
        end if;
        moved := moved + pg_temp.add_partition(
            parent, rest, child, format('in (%L)', app), format('app_id = %L', app),
            case when by_month then 'partition by range (replaced_at)' else '' end
        );
        if by_month then
            for month in
                execute format(
                    'select generate_series(date_trunc(''month'', least(min(replaced_at), now())), '
                    'now() + interval ''1 year'', ''1 month'')::date from %I where app_id = %L',
                    case when is_new then whole else parent end, app
                )
            loop
                perform pg_temp.add_partition(
                    child, child || '_rest', child || to_char(month, '_YYYY_MM'),
                    format('from (%L) to (%L)', month, (month + interval '1 month')::date),
                    format('replaced_at >= %L and replaced_at < %L', month, (month + interval '1 month')::date), ''
                );
            end loop;
        end if;
    end loop;
    if is_new then
        execute format(
            'insert into %I %s select * from %I',
            parent, case when numbered is null then '' else 'overriding system value' end, whole
        );
        get diagnostics moved = row_count;
        if numbered is not null then
            execute format(
                'select setval(pg_get_serial_sequence(%L, ''number''), max(number)) from %I', parent, whole
            );
        end if;
        execute format('drop table %I', whole);
        foreach made in array keys loop
            execute made;
        end loop;
    end if;
    if pg_get_serial_sequence(parent, 'number') is not null then
        for child in
            select relid::regclass::text from pg_partition_tree(parent::regclass)
            where isleaf and not exists (
                select from pg_index
                where indrelid = relid and indisunique and not indisprimary
            )
        loop
            execute format('create unique index on %s (number)', child);
        end loop;
    end if;
    execute format('analyze %I', parent);
    return moved;
end
$$;
