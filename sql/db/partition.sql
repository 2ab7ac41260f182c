-- Grain: a function, gone with the session.
-- Purpose: `pg_temp.partition` divides a table by app, and within an app by month (of `month_of`) where that is asked
-- for, where the table is divided so already, and where it has no key, as former states. It adds what is lacking:
-- partitions of new apps, of months that records came for, and of a year to come. A key that holds the app is one of
-- the whole table. A month cannot be in it: the same id could then be there twice, in two months. So a table that is
-- divided by month has its `key` in each partition, and a trigger (0004_months) for what is inserted. The numbers of
-- records come from one sequence, as before. `pg_temp.in_the_way` is called first, for all tables: it locks a table,
-- and says what somebody else has made that would be lost with it.
-- Reads: none
-- Makes: none

create or replace function pg_temp.is_to_be_replaced(parent text, months boolean) returns boolean language sql as $$
select
    relkind = 'r'
    or months and exists (select from pg_constraint where conrelid = pg_class.oid and contype = 'p')
from pg_class
where oid = parent::regclass
$$;

-- Whoever asks for it: a table stays that of its owner. Until the transaction ends, or another one is asked for.
create or replace function pg_temp.act_as_owner(parent text) returns void language plpgsql as $$
begin
    execute format(
        'set local role %I', (select pg_get_userbyid(relowner) from pg_class where oid = parent::regclass)
    );
end
$$;

create or replace function pg_temp.in_the_way(parent text, months boolean) returns setof text language plpgsql as $$
declare
    dependants text;
begin
    perform pg_temp.act_as_owner(parent);
    execute format('lock table %I in access exclusive mode', parent);
    if not pg_temp.is_to_be_replaced(parent, months) then
        return;
    end if;
    return query
    select format('table %s has %s', relid::regclass, found.what)
    from (
        -- Which does not name a table without partitions.
        select relid from pg_partition_tree(parent::regclass)
        union
        select parent::regclass
    ) as replaced
    cross join lateral (
        select 1 as kind, 'row-level security' as what from pg_class where oid = relid and relrowsecurity
        union all
        select 2, format('policy %I', polname) from pg_policy where polrelid = relid
        union all
        -- A partition's copy of the whole table's trigger has a parent.
        select 3, format('trigger %I', tgname) from pg_trigger
        where tgrelid = relid and not tgisinternal and tgparentid = 0
    ) as found
    order by relid <> parent::regclass, relid::regclass::text, kind, what;
    -- Postgres itself says what depends on a table, by the names as they are now. This drop is undone.
    begin
        execute format('drop table %I', parent);
        raise exception 'nothing depends on it';
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics dependants = pg_exception_detail;
            return query select unnest(string_to_array(dependants, e'\n'));
        when raise_exception then
            null;
    end;
end
$$;

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

create or replace function pg_temp.partition(
    parent text, app_ids text[], month_of text, key text, months boolean
) returns bigint language plpgsql as $$
declare
    whole text := parent || '_whole';
    rest text := parent || '_rest';
    numbered text := pg_get_serial_sequence(parent, 'number');
    has_key boolean := exists (select from pg_constraint where conrelid = parent::regclass and contype = 'p');
    by_month boolean := months or not has_key;
    is_new boolean := pg_temp.is_to_be_replaced(parent, months);
    again text[] := '{}';
    app text;
    child text;
    month date;
    came bigint;
    spread bigint;
    moved bigint := 0;
    made text;
begin
    perform pg_temp.act_as_owner(parent);
    if is_new then
        again := array(
            select format('alter table %I add %s', parent, pg_get_constraintdef(oid))
            from pg_constraint where conrelid = parent::regclass and contype = 'p' and not by_month
        ) || array(
            select replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
            from pg_index where indrelid = parent::regclass and not indisunique
            order by indexrelid
        ) || array(
            select format(
                'grant %s%s on %I to %s%s', given.privilege_type, granted.columns, parent,
                case given.grantee when 0 then 'public' else given.grantee::regrole::text end,
                case when given.is_grantable then ' with grant option' else '' end
            )
            from (
                select '' as columns, relacl as acl from pg_class where oid = parent::regclass
                union all
                select format(' (%I)', attname), attacl from pg_attribute where attrelid = parent::regclass
            ) as granted
            cross join lateral aclexplode(granted.acl) as given
        );
        -- Partitions by app free their names.
        for child in
            select relid::regclass::text from pg_partition_tree(parent::regclass) where level > 0
        loop
            execute format('alter table %s rename to %I', child, whole || child::regclass::oid);
        end loop;
        execute format('alter table %I rename to %I', parent, whole);
        execute format(
            'create table %I (like %I including defaults including constraints including identity) '
            'partition by list (app_id)', parent, whole
        );
        execute format('create table %I partition of %I default', rest, parent);
    end if;
    foreach app in array app_ids loop
        child := parent || '_' || app;
        -- Too long, or like what stands behind the name of another table.
        if octet_length(child) > 50 or app ~ '(^|_)(rest|whole|pkey|(seq|idx)\d*|\d{4}_\d{2})$' then
            child := parent || '_' || md5(app);
        end if;
        came := pg_temp.add_partition(
            parent, rest, child, format('in (%L)', app), format('app_id = %L', app),
            case when by_month then format('partition by range ((%s))', month_of) else '' end
        );
        moved := moved + came;
        if by_month then
            -- Rows of a new app are among the rest of it by now.
            for month in
                execute format(
                    'select date_trunc(''month'', %1$s)::date from %2$I where app_id = %3$L and %1$s < %4$L '
                    'union select generate_series(date_trunc(''month'', now()), %4$L, ''1 month'')::date order by 1',
                    month_of, case when is_new then whole else child || '_rest' end, app, now() + interval '1 year'
                )
            loop
                spread := pg_temp.add_partition(
                    child, child || '_rest', child || to_char(month, '_YYYY_MM'),
                    format('from (%L) to (%L)', month, (month + interval '1 month')::date),
                    format('%1$s >= %2$L and %1$s < %3$L', month_of, month, (month + interval '1 month')::date), ''
                );
                -- Those of a new app are counted: they came.
                if came = 0 then
                    moved := moved + spread;
                end if;
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
        foreach made in array again loop
            execute made;
        end loop;
        if by_month and key is not null then
            execute format(
                'create trigger keep_ids_unique after insert on %I referencing new table as arrived '
                'for each statement execute function keep_ids_unique(%L)', parent, key
            );
            execute format(
                'create trigger keep_ids before update of %s on %I '
                'for each statement execute function keep_ids_unique(%L)', key, parent, key
            );
            -- As the key that they stand for, also with `session_replication_role = replica`. What a subscriber of
            -- logical replication applies does not fire them: it fires only triggers of rows.
            execute format(
                'alter table %I enable always trigger keep_ids_unique, enable always trigger keep_ids', parent
            );
        end if;
    end if;
    if by_month and key is not null then
        for child in
            select relid::regclass::text from pg_partition_tree(parent::regclass)
            where isleaf and not exists (select from pg_index where indrelid = relid and indisprimary)
        loop
            execute format('alter table %s add primary key (%s)', child, key);
        end loop;
    end if;
    execute format('analyze %I', parent);
    return moved;
end
$$;
