-- Grain: one row an entry.
-- Purpose: Moves the staged records of one import into `entries`, an id a row. The last import of an entry wins, equal
-- values change nothing, and older versions are kept. A snapshot withdraws the entries of its days that it lacks; for
-- any other import, `lacking` names the entries of its days that an earlier file had. A withdrawn entry that comes
-- again counts again.
-- Reads: entries, incoming_ids, staged_entries, staged_scope, this_import, this_load
-- Makes: changes, changes_of_load, compared, entries, entry_versions, in_span, lacking, loaded, missing, this_book

-- The first import of an app has nothing to be compared with. In its order the index says at once that there is none.
create temp table this_book on commit drop as
select not exists (
    select from staged_scope
    cross join lateral (
        select currency from entries
        where app_id = staged_scope.app_id
        order by currency
        limit 1
    ) as held
) as is_empty;

-- Grain: one row a row that is left, where there is something to compare it with: the entry that is held, if any,
-- and whether it is new or says something else than before; `moved` is whether matching sees the difference.
-- Narrow, and kept, so that the two books are joined once.
create temp table compared on commit drop as
select
    staged.ctid as place,
    this_load.load_id,
    held.number as held_number,
    held.loaded_in as held_since,
    held.withdrawn as held_withdrawn,
    held.number is null or held.withdrawn or (
        (
            held.reference, held.currency, held.amount, held.dated_on, held.dated_at, held.transaction_id,
            held.provider_order_id, held.provider_txn_id
        ) is distinct from (
            staged.reference, staged.currency, staged.amount, staged.dated_on, staged.dated_at,
            staged.transaction_id, staged.provider_order_id, staged.provider_txn_id
        )
    ) or (held.status <> staged.status and pg_temp.said(held.status) <> pg_temp.said(staged.status)) as moved,
    held.number is not null and (held.description is distinct from staged.description) as reworded
from staged_entries as staged
inner join this_load using (app_id)
left join entries as held using (app_id, source, ledger_id)
where not (select is_empty from this_book);

analyze compared;

create temp view changes as
select place, load_id, held_number, held_withdrawn, moved
from compared
where moved or reworded
union all
select staged.ctid, load_id, null, null, true
from staged_entries as staged
inner join this_load using (app_id)
where (select is_empty from this_book);

-- A record in quarantine is not missing, and a typing error in its date must not widen the days.
create temp table in_span on commit drop as
with dated as (
    select
        app_id,
        source,
        coalesce(dated_on, business_date(dated_at, snapshot_timezone)) as business_on
    from staged_entries
    cross join this_import
    where (select asked.snapshot_timezone is not null from this_import as asked)
),

spanned as (
    select app_id, source, min(business_on) as first_day, max(business_on) as last_day
    from dated
    group by app_id, source
),

held_entry as (
    select held.app_id, held.number, held.ledger_id, this_load.load_id
    from spanned
    cross join this_import
    inner join entries as held using (app_id, source)
    inner join this_load using (app_id)
    where
        not held.withdrawn
        and coalesce(held.dated_on, business_date(held.dated_at, snapshot_timezone)) between first_day and last_day
)

select
    app_id,
    number as held_number,
    load_id,
    not exists (
        select from incoming_ids
        where incoming_ids.app_id = held_entry.app_id and incoming_ids.record_id = held_entry.ledger_id
    ) as missing
from held_entry;

create temp view missing as select held_number, load_id from in_span where missing;

-- Grain: one row an entry of the days that the file spans, which an earlier file of these days brought and this one
-- lacks. An earlier file is one that had some of the same entries: other parts of the ledger lack nothing.
create temp table lacking on commit drop as
with shared as (
    select distinct held_since
    from compared
    where held_number is not null and not held_withdrawn
),

dated as (
    select
        app_id,
        source,
        coalesce(dated_on, business_date(dated_at, timezone)) as business_on
    from staged_entries
    cross join this_import
    where snapshot_timezone is null and timezone is not null and exists (select from shared)
),

spanned as (
    select app_id, source, min(business_on) as first_day, max(business_on) as last_day
    from dated
    group by app_id, source
),

held_entry as (
    select held.app_id, held.ledger_id
    from spanned
    cross join this_import
    inner join entries as held using (app_id, source)
    where
        not held.withdrawn
        and held.loaded_in in (select held_since from shared)
        and coalesce(held.dated_on, business_date(held.dated_at, timezone)) between first_day and last_day
)

select ledger_id
from held_entry
where
    not exists (
        select from incoming_ids
        where incoming_ids.app_id = held_entry.app_id and incoming_ids.record_id = held_entry.ledger_id
    );

-- Grain: one row a load that brought a change: how many there are. Kept, so that a million changes are counted once.
create temp table changes_of_load on commit drop as
select
    load_id,
    count(*) filter (where held_number is null or held_withdrawn) as added,
    count(*) filter (where not held_withdrawn) as changed,
    count(*) filter (where moved) as moved
from changes
group by load_id;

create temp table loaded on commit drop as
select
    (select count(*) from staged_entries) as usable,
    coalesce(sum(added), 0)::bigint as added,
    coalesce(sum(changed), 0)::bigint as changed,
    (select count(*) from in_span) as in_force,
    (select count(*) from missing) as withdrawn
from changes_of_load;

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
    select held_number, load_id from changes where held_number is not null
    union all
    select held_number, load_id from missing
) as replacing
inner join entries as held on held.number = replacing.held_number;

select pg_temp.rest_indexes('entries', (select added from loaded));

insert into entries (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, changed_in, loaded_in
)
select
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, load_id, load_id
from staged_entries
inner join this_load using (app_id)
where (select is_empty from this_book)
union all
select
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, compared.load_id, compared.load_id
from compared
inner join staged_entries as staged on staged.ctid = compared.place
where compared.held_number is null;

select pg_temp.wake_indexes();

update entries as held set
    reference = staged.reference,
    comparable = staged.comparable,
    currency = staged.currency,
    amount = staged.amount,
    status = staged.status,
    dated_on = staged.dated_on,
    dated_at = staged.dated_at,
    transaction_id = staged.transaction_id,
    provider_order_id = staged.provider_order_id,
    provider_txn_id = staged.provider_txn_id,
    description = staged.description,
    changed_in = case when changes.moved then changes.load_id else held.changed_in end,
    loaded_in = changes.load_id,
    withdrawn = false
from changes
inner join staged_entries as staged on staged.ctid = changes.place
where changes.held_number is not null and held.number = changes.held_number;

update entries as held set
    changed_in = missing.load_id,
    loaded_in = missing.load_id,
    withdrawn = true
from missing
where held.number = missing.held_number;
