-- Grain: one row an entry. Moves the staged records of one import into `entries`: rows of one
-- ledger_id that say the same are one, rows that differ are both quarantined. The last import of an
-- entry wins, equal values change nothing, and older versions are kept.

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
    order by
        app_id, source, ledger_id, reference, currency, amount, status, dated_on, dated_at, transaction_id,
        provider_order_id, provider_txn_id, description, row_number
) as distinct_records;

create temp table incoming_ids on commit drop as
select app_id, ledger_id as record_id from incoming
union
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

analyze incoming;

create temp table changes on commit drop as
select
    incoming.*,
    held.app_id is null as is_new
from incoming
left join entries as held using (app_id, source, ledger_id)
where
    held.app_id is null
    or (
        held.reference, held.currency, held.amount, held.status, held.dated_on, held.dated_at,
        held.transaction_id, held.provider_order_id, held.provider_txn_id, held.description
    ) is distinct from (
        incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.dated_on,
        incoming.dated_at, incoming.transaction_id, incoming.provider_order_id,
        incoming.provider_txn_id, incoming.description
    );

create temp table loaded on commit drop as
select
    (select count(*) from incoming) as usable,
    count(*) filter (where is_new) as added,
    count(*) filter (where not is_new) as changed
from changes;

insert into entry_versions
select held.*
from entries as held
inner join changes using (app_id, source, ledger_id);

insert into entries as held
select
    app_id, source, ledger_id, reference, currency, amount, status, dated_on,
    dated_at, transaction_id, provider_order_id, provider_txn_id,
    description
from changes
on conflict (app_id, source, ledger_id) do update set
    reference = excluded.reference,
    currency = excluded.currency,
    amount = excluded.amount,
    status = excluded.status,
    dated_on = excluded.dated_on,
    dated_at = excluded.dated_at,
    transaction_id = excluded.transaction_id,
    provider_order_id = excluded.provider_order_id,
    provider_txn_id = excluded.provider_txn_id,
    description = excluded.description;
