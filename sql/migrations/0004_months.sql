-- Grain: none.
-- Purpose: Keeps ids unique in a table that `reconcile partition --months` has divided by month. Each partition has a
-- key of its own, and this guards what no key can: that no other month has the same id. It looks up all that a
-- statement inserted at once. Whoever inserts records of the same app waits until the other is done, so that one of
-- them sees the other's. The argument of the trigger is the key.
-- Reads: none
-- Makes: none

create function keep_ids_unique() returns trigger
language plpgsql
set search_path from current
as $$
declare
    key text := tg_argv[0];
    meet text := 'from arrived inner join ' || quote_ident(tg_table_name) || ' using (' || key || ')';
    is_repeated boolean;
    repeated text;
begin
    if tg_op = 'UPDATE' then
        raise exception using
            errcode = 'feature_not_supported',
            message = tg_table_name || ': a record keeps its id (' || key || ')';
    end if;
    -- An older snapshot would not show what the other one inserted.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception using
            errcode = 'feature_not_supported',
            message = tg_table_name || ': records are only inserted by a transaction that is read committed';
    end if;
    perform pg_advisory_xact_lock(apps.lock)
    from (
        select distinct hashtextextended('reconcile id ' || tg_table_name || ' ' || app_id, 0) as lock
        from arrived
        order by lock
    ) as apps;
    -- Each meets itself. Whether one meets another is known without grouping a million of them.
    execute 'select (select count(*) ' || meet || ') > (select count(*) from arrived)' into is_repeated;
    if is_repeated then
        execute 'select (' || key || ')::text ' || meet || ' group by ' || key || ' having count(*) > 1 order by 1 limit 1'
        into repeated;
        raise exception using
            errcode = 'unique_violation',
            message = tg_table_name || ': the id ' || repeated || ' would be there twice, in two months';
    end if;
    return null;
end
$$;
