-- Grain: one row a record that cannot be used.
-- Purpose: Adds what was rejected to the quarantine, and takes out what its source has corrected. A record with an id
-- is taken out when the id comes again, usable or with another fault. A record without an id is taken out when the same
-- file no longer holds it, or when an answer that covers the day of its creation does not. If that day cannot be read,
-- the answer must cover all days on which it may be: those of every answer that had it.
-- Reads: changes_of_load, incoming_ids, loaded, quarantine, rejected, staged_scope, this_import, this_load
-- Makes: entries, loads, quarantine, quarantine_versions, released, transactions

create temp table released on commit drop as
select held.*
from quarantine as held
where
    not exists (
        select from rejected
        where
            rejected.app_id = held.app_id and rejected.side = held.side and rejected.source = held.source
            and rejected.record_id is not distinct from held.record_id and rejected.content = held.content
    )
    and exists (
        select from staged_scope as scope
        where
            scope.app_id = held.app_id and scope.side = held.side and scope.source = held.source
            and case
                when held.record_id is not null
                    then (held.app_id, held.record_id) in (select app_id, record_id from incoming_ids)
                when held.side = 'kspay' and held.dated_at is not null
                    then (held.dated_at at time zone 'UTC')::date between scope.fetched_first and scope.fetched_last
                        and scope.fetched_first <= held.fetched_last and held.fetched_first <= scope.fetched_last
                when held.side = 'kspay'
                    then scope.fetched_first <= held.fetched_first and held.fetched_last <= scope.fetched_last
                else held.file = scope.file or starts_with(held.file, scope.file || ' [')
            end
    );

insert into quarantine_versions (
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports, released_by
)
select
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, quarantined_at, imports,
    (select import_id from this_import)
from released;

delete from quarantine as held using released
where
    held.app_id = released.app_id and held.side = released.side and held.source = released.source
    and held.record_id is not distinct from released.record_id and held.content = released.content;

merge into quarantine as held
using (
    select
        rejected.*,
        array(select import_id from this_import) as imports,
        case when length(rejected.typed) <= 10000 then rejected.typed::jsonb end as said  -- a longer one was cut
    from rejected
) as seen
    on
        held.app_id = seen.app_id and held.side = seen.side and held.source = seen.source
        and held.record_id is not distinct from seen.record_id and held.content = seen.content
when matched and (not held.imports @> seen.imports or (
    held.file, held.row_number, held.field, held.value, held.reason, held.raw, held.currency, held.amount,
    held.dated_on, held.dated_at, held.fetched_first, held.fetched_last
) is distinct from (
    seen.file, seen.row_number, seen.field, seen.value, seen.reason, seen.raw, seen.currency, seen.amount,
    seen.dated_on, seen.dated_at, seen.fetched_first, seen.fetched_last
)) then
    update
        set
            file = seen.file, row_number = seen.row_number, field = seen.field, value = seen.value,
            reason = seen.reason, raw = seen.raw, typed = seen.said, currency = seen.currency,
            amount = seen.amount, dated_on = seen.dated_on, dated_at = seen.dated_at,
            -- Every answer that holds it narrows the days.
            fetched_first = case
                when seen.fetched_first <= held.fetched_last and held.fetched_first <= seen.fetched_last
                    then greatest(held.fetched_first, seen.fetched_first)
                else seen.fetched_first
            end,
            fetched_last = case
                when seen.fetched_first <= held.fetched_last and held.fetched_first <= seen.fetched_last
                    then least(held.fetched_last, seen.fetched_last)
                else seen.fetched_last
            end,
            imports = case when held.imports @> seen.imports then held.imports else held.imports || seen.imports end
when not matched then insert (
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, typed, currency,
    amount, dated_on, dated_at, fetched_first, fetched_last, imports, quarantined_at
) values (
    seen.app_id, seen.side, seen.source, seen.record_id, seen.content, seen.file, seen.row_number,
    seen.field, seen.value, seen.reason, seen.raw, seen.said, seen.currency, seen.amount, seen.dated_on,
    seen.dated_at, seen.fetched_first, seen.fetched_last, seen.imports,
    statement_timestamp()  -- one for all that came together
);

-- A record that goes into quarantine or comes out of it is matched again, and its group with it.
with shifted as (
    select app_id, side, source, record_id from released where record_id is not null
    union
    select rejected.app_id, rejected.side, rejected.source, rejected.record_id
    from rejected
    inner join quarantine as held using (app_id, side, source, record_id, content)
    where held.quarantined_at >= transaction_timestamp()
),

shifted_transaction as (
    update transactions as held set changed_in = this_load.load_id
    from shifted
    inner join this_load using (app_id)
    where shifted.side = 'kspay' and held.app_id = shifted.app_id and held.transaction_id = shifted.record_id
    returning held.number
),

shifted_entry as (
    update entries as held set changed_in = this_load.load_id
    from shifted
    inner join this_load using (app_id)
    where
        shifted.side = 'ledger' and held.app_id = shifted.app_id and held.source = shifted.source
        and held.ledger_id = shifted.record_id
    returning held.number
)

select
    (select count(*) from shifted_transaction) + (select count(*) from shifted_entry);

update loads set
    records = records
    + coalesce((select moved from changes_of_load where changes_of_load.load_id = loads.load_id), 0)
    + (select withdrawn from loaded) + (select count(*) from released) + (select count(*) from rejected)
from this_load
where loads.load_id = this_load.load_id;
