-- Grain: one row an entry or quarantined record that the import changed.
-- Purpose: Undoes the import in `this_import`, as the loads in `this_load`. Entries that only this import gives return
-- to their newest state that another one gives, or are withdrawn. What later imports said stays.
-- Reads: entries, entry_versions, imports, loads, quarantine, quarantine_versions, this_import, this_load
-- Makes: baseless, counting, entries, entry_versions, former, imports, loads, quarantine, quarantine_versions,
-- released, restored, undone

update imports set withdrawn_at = clock_timestamp()
from this_import
where imports.import_id = this_import.import_id;

-- Grain: one row a load that is an import's and still counts.
create temp view counting as
select loads.load_id, loads.app_id, loads.confirmed
from loads
inner join imports using (import_id)
where imports.withdrawn_at is null;

create temp table baseless on commit drop as
select held.number
from entries as held
inner join this_load using (app_id)
inner join loads on loads.app_id = held.app_id and loads.load_id = held.loaded_in
inner join imports on imports.import_id = loads.import_id and imports.withdrawn_at is not null
where
    held.source = imports.source
    and not exists (
        select from counting
        where
            counting.app_id = held.app_id and counting.load_id > held.loaded_in and counting.confirmed @> held.number
    );

analyze baseless;

-- Grain: one row an entry that has a state to return to.
create temp table former on commit drop as
select distinct on (version.number) version.*
from baseless
inner join entry_versions as version on version.number = baseless.number
where
    exists (
        select from counting
        where
            counting.load_id = version.loaded_in
            or (
                counting.app_id = version.app_id and counting.load_id > version.loaded_in
                and counting.load_id < version.replaced_in and counting.confirmed @> version.number
            )
    )
order by version.number asc, version.replaced_in desc, version.replaced_at desc;

analyze former;

create temp table undone on commit drop as
select
    count(baseless.number) filter (where former.withdrawn is null or former.withdrawn) as withdrawn,
    count(*) filter (where not former.withdrawn) as returned
from baseless
left join former using (number);

insert into entry_versions (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, dated_at,
    transaction_id, provider_order_id, provider_txn_id, description, number, changed_in, loaded_in, withdrawn,
    replaced_in
)
select
    held.app_id, held.source, held.ledger_id, held.reference, held.comparable, held.currency, held.amount,
    held.status, held.dated_on, held.dated_at, held.transaction_id, held.provider_order_id,
    held.provider_txn_id, held.description, held.number, held.changed_in, held.loaded_in, held.withdrawn,
    this_load.load_id
from baseless
inner join entries as held using (number)
inner join this_load using (app_id);

update entries as held set
    reference = former.reference,
    comparable = former.comparable,
    currency = former.currency,
    amount = former.amount,
    status = former.status,
    dated_on = former.dated_on,
    dated_at = former.dated_at,
    transaction_id = former.transaction_id,
    provider_order_id = former.provider_order_id,
    provider_txn_id = former.provider_txn_id,
    description = former.description,
    loaded_in = former.loaded_in,
    withdrawn = former.withdrawn,
    changed_in = this_load.load_id
from former
inner join this_load using (app_id)
where held.number = former.number;

update entries as held set
    loaded_in = this_load.load_id,
    withdrawn = true,
    changed_in = this_load.load_id
from baseless
cross join this_load
where
    held.number = baseless.number and this_load.app_id = held.app_id
    and held.number not in (select number from former);

-- What only this import put into quarantine leaves it, and what it let out returns, unless a later one said more.
update quarantine as held set imports = array_remove(held.imports, this_import.import_id)
from this_import
where held.imports @> array[this_import.import_id];

create temp table released on commit drop as
select held.*
from quarantine as held
inner join imports on imports.import_id = (select import_id from this_import) and imports.source = held.source
where
    held.side = 'ledger' and held.imports = '{}' and held.quarantined_at >= imports.imported_at
    and held.app_id in (select app_id from this_load);

insert into quarantine_versions (
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports, released_by
)
select
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports, null
from released;

delete from quarantine as held using released
where
    held.app_id = released.app_id and held.side = released.side and held.source = released.source
    and held.record_id is not distinct from released.record_id and held.content = released.content;

create temp table restored on commit drop as
select distinct on (former.app_id, former.source, former.record_id, former.content) former.*
from quarantine_versions as former
inner join this_import on this_import.import_id = former.released_by
where
    former.side = 'ledger'
    and exists (
        select from imports where imports.import_id = any(former.imports) and imports.withdrawn_at is null
    )
    and case
        when former.record_id is not null
            then not exists (
                    select from entries as held
                    where
                        held.app_id = former.app_id and held.source = former.source
                        and held.ledger_id = former.record_id and not held.withdrawn
                        and held.loaded_in > (
                            select max(load_id) from loads where loads.import_id = this_import.import_id
                        )
                )
                and not exists (
                    select from quarantine as held
                    where
                        held.app_id = former.app_id and held.side = former.side and held.source = former.source
                        and held.record_id = former.record_id
                )
        else not exists (
                select from imports
                where
                    imports.source = former.source and imports.file = former.file and imports.withdrawn_at is null
                    and imports.import_id > this_import.import_id
            )
    end
order by former.app_id asc, former.source asc, former.record_id asc, former.content asc, former.cleared_at desc;

insert into quarantine (
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports
)
select
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports
from restored
on conflict do nothing;

update entries as held set changed_in = this_load.load_id
from (
    select app_id, source, record_id from released where record_id is not null
    union
    select app_id, source, record_id from restored where record_id is not null
) as shifted
inner join this_load using (app_id)
where held.app_id = shifted.app_id and held.source = shifted.source and held.ledger_id = shifted.record_id;

update loads set
    records = (select count(*) from baseless) + (select count(*) from released) + (select count(*) from restored)
from this_load
where loads.load_id = this_load.load_id;

drop view counting;
