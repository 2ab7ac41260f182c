-- Grain: none.
-- Purpose: Every row of one app names the app, and every unique key of such rows holds it, as a cluster asks that
-- spreads tables by app. In these keys the number or id stands first, since rows are looked up by it alone. A plain
-- index needs no app. So the number of a record has a plain one: it comes from one sequence and nobody writes it. A
-- unique index with the app beside it would be twice as large, and loading took a tenth longer with it.
-- Reads: discrepancies, entries, transactions
-- Makes: none

-- One by one, while the table is written anew: an update of all rows would leave each of them there twice.
create function pg_temp.app_of_transaction(transaction_no bigint) returns text language plpgsql stable as $$
begin
    return (select app_id from transactions where number = transaction_no);
end
$$;

create function pg_temp.app_of_entry(entry_no bigint) returns text language plpgsql stable as $$
begin
    return (select app_id from entries where number = entry_no);
end
$$;

create function pg_temp.app_of_discrepancy(id text) returns text language plpgsql stable as $$
begin
    return (select app_id from discrepancies where discrepancy_id = id);
end
$$;

alter table pairings add column app_id text;
alter table pairings
alter column app_id type text using pg_temp.app_of_transaction(transaction_no),
alter column app_id set not null;
drop index pairings_rule;
create index pairings_rule on pairings (app_id, rule) where rule in ('manual', 'amount_date');

alter table pairing_versions add column app_id text;
alter table pairing_versions
alter column app_id type text using pg_temp.app_of_transaction(transaction_no),
alter column app_id set not null;

alter table bookings add column app_id text;
alter table bookings
alter column app_id type text using pg_temp.app_of_entry(entry_no),
alter column app_id set not null,
drop constraint bookings_pkey,
add primary key (entry_no, app_id);

alter table discrepancy_versions add column app_id text;
alter table discrepancy_versions
alter column app_id type text using pg_temp.app_of_discrepancy(discrepancy_id),
alter column app_id set not null;

alter table findings drop constraint findings_pkey, add primary key (side, number, aspect, app_id);
alter table discrepancies drop constraint discrepancies_pkey, add primary key (discrepancy_id, app_id);
alter table movements drop constraint movements_pkey, add primary key (run, discrepancy_id, app_id);
alter table loads drop constraint loads_pkey, add primary key (load_id, app_id);

drop function pg_temp.app_of_transaction(bigint);
drop function pg_temp.app_of_entry(bigint);
drop function pg_temp.app_of_discrepancy(text);

-- Of a table that `reconcile partition` has divided, each partition has an index of its own.
do $$
declare
    parent regclass;
    own regclass;
begin
    foreach parent in array array['transactions'::regclass, 'entries'::regclass] loop
        for own in
            select indexrelid
            from pg_index
            inner join pg_attribute on attrelid = indrelid and attname = 'number' and indkey::text = attnum::text
            where
                indisunique and indpred is null
                and indrelid in (select relid from pg_partition_tree(parent) union select parent)
        loop
            execute 'drop index ' || own;
        end loop;
        execute 'create index on ' || parent || ' (number)';
    end loop;
end
$$;
