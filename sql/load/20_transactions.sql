-- Grain: one row a transaction. Moves the staged records into `transactions`: of several records
-- with one id the later `updatedAt` wins, and two different ones of one `updatedAt` are both
-- quarantined, so the result does not depend on the order of pages. Older versions are kept.

analyze staged_transactions;

-- Nearly every id comes once: only the others are compared with one another.
create temp table repeated on commit drop as
select app_id, transaction_id
from staged_transactions
group by app_id, transaction_id
having count(*) > 1;

create temp table newest on commit drop as
with versions as (
    select
        *,
        rank() over (
            partition by app_id, transaction_id order by coalesce(updated_at, created_at) desc
        ) as age
    from (
        select distinct on (
            app_id, transaction_id, reference, currency, amount, status, created_at, updated_at, provider_order_id,
            provider_txn_id, payment_type, provider_name, provider_status
        ) *
        from staged_transactions
        where (app_id, transaction_id) in (select app_id, transaction_id from repeated)
        order by
            app_id, transaction_id, reference, currency, amount, status, created_at, updated_at, provider_order_id,
            provider_txn_id, payment_type, provider_name, provider_status, file, row_number
    ) as distinct_records
)

select
    versions.*,
    count(*) over (partition by app_id, transaction_id) as contenders
from versions
where age = 1;

create temp table incoming on commit drop as
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, file, row_number,
    1 as contenders
from staged_transactions
where (app_id, transaction_id) not in (select app_id, transaction_id from repeated)
union all
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, file, row_number,
    contenders
from newest;

analyze incoming;

create temp view incoming_ids as
select app_id, transaction_id as record_id from staged_transactions
union all
select app_id, record_id from staged_rejections where record_id is not null;

insert into staged_rejections
select
    app_id, 'kspay', 'kspay', transaction_id, file, row_number, 'id', transaction_id,
    case
        when contenders > 1 then 'two different records have this id and the same updatedAt; ask KS Pay which is right'
        else 'another record with this id cannot be read; ask KS Pay which is right'
    end,
    jsonb_strip_nulls(
        jsonb_build_object(
            'id', transaction_id, 'referenceNumber', reference, 'currencyCode', currency, 'amount', amount::text,
            'status', status, 'createdAt', created_at, 'updatedAt', updated_at,
            'providerOrderId', provider_order_id, 'providerTxnId', provider_txn_id, 'paymentType', payment_type,
            'providerName', provider_name, 'providerStatus', provider_status
        )
    )::text,
    currency, null, created_at, null, null
from incoming
where
    contenders > 1
    or (app_id, transaction_id) in (select app_id, record_id from staged_rejections where record_id is not null);

delete from incoming using staged_rejections as rejected
where incoming.app_id = rejected.app_id and incoming.transaction_id = rejected.record_id;

-- What is new or says something else than before; `moved` is whether matching sees the difference. A
-- record that an older page or night gave with a later `updatedAt` stays as it is.
create temp table changes on commit drop as
select
    incoming.*,
    this_load.load_id,
    held.number as held_number,
    (
        held.reference, held.currency, held.amount, held.status, held.created_at, held.provider_order_id,
        held.provider_txn_id
    ) is distinct from (
        incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.created_at,
        incoming.provider_order_id, incoming.provider_txn_id
    ) as moved
from incoming
inner join this_load using (app_id)
left join transactions as held using (app_id, transaction_id)
where
    held.app_id is null
    or (
        coalesce(held.updated_at, held.created_at) <= coalesce(incoming.updated_at, incoming.created_at)
        and (
            held.reference, held.currency, held.amount, held.status, held.created_at, held.updated_at,
            held.provider_order_id, held.provider_txn_id, held.payment_type, held.provider_name,
            held.provider_status
        ) is distinct from (
            incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.created_at,
            incoming.updated_at, incoming.provider_order_id, incoming.provider_txn_id,
            incoming.payment_type, incoming.provider_name, incoming.provider_status
        )
    );

create temp table loaded on commit drop as
select
    (select count(*) from incoming) as usable,
    count(*) filter (where held_number is null) as added,
    count(*) filter (where held_number is not null) as changed,
    0 as in_force,
    0 as withdrawn
from changes;

insert into transaction_versions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, number, changed_in,
    replaced_in
)
select
    held.app_id, held.transaction_id, held.reference, held.comparable, held.currency, held.amount, held.status,
    held.created_at, held.updated_at, held.provider_order_id, held.provider_txn_id, held.payment_type,
    held.provider_name, held.provider_status, held.number, held.changed_in, changes.load_id
from changes
inner join transactions as held on held.number = changes.held_number;

-- The first time, and where there are many: indexes are made faster at the end than kept up for every row.
create temp table resting_index on commit drop as
select indexname, indexdef
from pg_indexes
where
    schemaname = current_schema() and tablename = 'transactions' and indexname <> 'transactions_pkey'
    and not exists (select from transactions)
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

insert into transactions as held (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, changed_in
)
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, load_id
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

update transactions as held set
    reference = changes.reference,
    comparable = changes.comparable,
    currency = changes.currency,
    amount = changes.amount,
    status = changes.status,
    created_at = changes.created_at,
    updated_at = changes.updated_at,
    provider_order_id = changes.provider_order_id,
    provider_txn_id = changes.provider_txn_id,
    payment_type = changes.payment_type,
    provider_name = changes.provider_name,
    provider_status = changes.provider_status,
    changed_in = case when changes.moved then changes.load_id else held.changed_in end
from changes
where held.number = changes.held_number;
