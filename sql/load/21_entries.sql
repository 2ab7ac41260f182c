-- Grain: one row an entry. Moves the staged records of one import into `entries`: rows of one
-- ledger_id that say the same are one, rows that differ are both quarantined. The last import of an
-- entry wins, equal values change nothing, and older versions are kept. Of a snapshot, entries of the days
-- that it spans and that it lacks are withdrawn; a withdrawn entry that arrives lives again.

analyze staged_entries;

-- Nearly every id comes once: only the others are compared with one another.
create temp table repeated on commit drop as
select app_id, source, ledger_id
from staged_entries
group by app_id, source, ledger_id
having count(*) > 1;

create temp table incoming on commit drop as
select
    *,
    count(*) over (partition by app_id, source, ledger_id) as contenders,
    min(row_number) over (partition by app_id, source, ledger_id) as first_row,
    max(row_number) over (partition by app_id, source, ledger_id) as last_row
from (
    select distinct on (
        app_id, source, ledger_id, reference, currency, amount, status, dated_on, dated_at, transaction_id,
        provider_order_id, provider_txn_id, description
    ) *
    from staged_entries
    where (app_id, source, ledger_id) in (select app_id, source, ledger_id from repeated)
    order by
        app_id, source, ledger_id, reference, currency, amount, status, dated_on, dated_at, transaction_id,
        provider_order_id, provider_txn_id, description, row_number
) as distinct_records;

insert into incoming
select
    *,
    1,
    row_number,
    row_number
from staged_entries
where (app_id, source, ledger_id) not in (select app_id, source, ledger_id from repeated);

analyze incoming;

create temp view incoming_ids as
select app_id, ledger_id as record_id from staged_entries
union all
select app_id, record_id from staged_rejections where record_id is not null;

-- Every row of a contested id goes to quarantine: the person who corrects the file needs each row.
with broken as (
    select
        app_id,
        source,
        record_id,
        min(row_number) as row_number
    from staged_rejections
    where record_id is not null
    group by app_id, source, record_id
),

contested as (
    select
        incoming.*,
        case
            when broken.row_number is null
                then format('rows %s and %s differ but have the same ledger_id; give each its own', first_row, last_row)
            else format('row %s has the same ledger_id and cannot be read; correct it', broken.row_number)
        end as reason
    from incoming
    left join broken
        on
            broken.app_id = incoming.app_id and broken.source = incoming.source
            and broken.record_id = incoming.ledger_id
    where contenders > 1 or broken.row_number is not null
)

insert into staged_rejections
select
    app_id, 'ledger', source, ledger_id, file, row_number, 'ledger_id', ledger_id, reason,
    jsonb_strip_nulls(
        jsonb_build_object(
            'ledger_id', ledger_id, 'reference', reference, 'currency', currency, 'amount', amount::text,
            'status', nullif(status, ''), 'date', coalesce(dated_on::text, dated_at::text),
            'transaction_id', transaction_id, 'provider_order_id', provider_order_id,
            'provider_txn_id', provider_txn_id, 'description', description
        )
    )::text,
    currency, dated_on, dated_at, null, null
from contested;

delete from incoming using staged_rejections as rejected
where
    incoming.app_id = rejected.app_id and incoming.source = rejected.source
    and incoming.ledger_id = rejected.record_id;

-- What is new or says something else than before; `moved` is whether matching sees the difference.
create temp table changes on commit drop as
select
    incoming.*,
    this_load.load_id,
    held.number as held_number,
    held.withdrawn as held_withdrawn,
    held.withdrawn is true or (
        held.reference, held.currency, held.amount, held.status, held.dated_on, held.dated_at,
        held.transaction_id, held.provider_order_id, held.provider_txn_id
    ) is distinct from (
        incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.dated_on,
        incoming.dated_at, incoming.transaction_id, incoming.provider_order_id, incoming.provider_txn_id
    ) as moved
from incoming
inner join this_load using (app_id)
left join entries as held using (app_id, source, ledger_id)
where
    held.app_id is null
    or held.withdrawn
    or (
        held.reference, held.currency, held.amount, held.status, held.dated_on, held.dated_at,
        held.transaction_id, held.provider_order_id, held.provider_txn_id, held.description
    ) is distinct from (
        incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.dated_on,
        incoming.dated_at, incoming.transaction_id, incoming.provider_order_id,
        incoming.provider_txn_id, incoming.description
    );

-- A record in quarantine is not missing, and a typing error in its date must not widen the days.
create temp table in_span on commit drop as
with dated as (
    select
        app_id,
        source,
        coalesce(dated_on, (dated_at at time zone snapshot_timezone)::date) as business_on
    from incoming
    cross join this_import
    where snapshot_timezone is not null
),

spanned as (
    select app_id, source, min(business_on) as first_day, max(business_on) as last_day
    from dated
    group by app_id, source
)

select
    held.app_id,
    held.number as held_number,
    this_load.load_id,
    not exists (
        select from incoming_ids where incoming_ids.app_id = held.app_id and incoming_ids.record_id = held.ledger_id
    ) as missing
from spanned
cross join this_import
inner join entries as held using (app_id, source)
inner join this_load using (app_id)
where
    not held.withdrawn
    and coalesce(held.dated_on, (held.dated_at at time zone snapshot_timezone)::date) between first_day and last_day;

create temp view missing as select held_number, load_id from in_span where missing;

create temp table loaded on commit drop as
select
    (select count(*) from incoming) as usable,
    count(*) filter (where held_number is null or held_withdrawn) as added,
    count(*) filter (where not held_withdrawn) as changed,
    (select count(*) from in_span) as in_force,
    (select count(*) from missing) as withdrawn
from changes;

insert into entry_versions (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, number, changed_in, loaded_in, withdrawn,
    replaced_in
)
select
    held.app_id, held.source, held.ledger_id, held.reference, held.comparable, held.currency, held.amount,
    held.status, held.dated_on, held.dated_at, held.transaction_id, held.provider_order_id,
    held.provider_txn_id, held.description, held.number, held.changed_in, held.loaded_in, held.withdrawn,
    replacing.load_id
from (
    select held_number, load_id from changes
    union all
    select held_number, load_id from missing
) as replacing
inner join entries as held on held.number = replacing.held_number;

-- The first time, and where there are many: indexes are made faster at the end than kept up for every row.
create temp table resting_index on commit drop as
select indexname, indexdef
from pg_indexes
where
    schemaname = current_schema() and tablename = 'entries' and indexname <> 'entries_pkey'
    and not exists (select from entries)
    and (select count(*) from changes) > 10000;

do $$
declare
    resting record;
begin
    for resting in select indexname from resting_index loop
        execute format('drop index %I', resting.indexname);
    end loop;
end
$$;

insert into entries as held (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, changed_in, loaded_in
)
select
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, load_id, load_id
from changes
where held_number is null;

do $$
declare
    resting record;
begin
    for resting in select indexdef from resting_index loop
        execute resting.indexdef;
    end loop;
end
$$;

update entries as held set
    reference = changes.reference,
    comparable = changes.comparable,
    currency = changes.currency,
    amount = changes.amount,
    status = changes.status,
    dated_on = changes.dated_on,
    dated_at = changes.dated_at,
    transaction_id = changes.transaction_id,
    provider_order_id = changes.provider_order_id,
    provider_txn_id = changes.provider_txn_id,
    description = changes.description,
    changed_in = case when changes.moved then changes.load_id else held.changed_in end,
    loaded_in = changes.load_id,
    withdrawn = false
from changes
where held.number = changes.held_number;

update entries as held set
    changed_in = missing.load_id,
    loaded_in = missing.load_id,
    withdrawn = true
from missing
where held.number = missing.held_number;
