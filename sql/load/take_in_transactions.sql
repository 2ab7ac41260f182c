-- Grain: one row a transaction.
-- Purpose: Moves the staged records of one fetch into `transactions`. Of several records with one id the later
-- `updatedAt` wins; different ones with one `updatedAt` are all quarantined, so the result does not depend on the
-- order of pages. Older versions are kept.
-- Reads: loads, staged_rejections, staged_transactions, this_load, transactions
-- Makes: changes, contested, incoming, incoming_ids, last_number, loaded, loads, newest, staged_rejections,
--   transaction_versions, transactions

analyze staged_transactions;

-- Ids that come more than once, or that a record which cannot be read has too: nearly every id is none of them.
create temp table contested on commit drop as
select app_id, transaction_id
from staged_transactions
group by app_id, transaction_id
having count(*) > 1
union
select app_id, record_id
from staged_rejections
where record_id is not null;

analyze contested;

create temp table newest on commit drop as
with distinct_records as (
    select distinct on (
        app_id, transaction_id, reference, currency, amount, status, created_at, updated_at, provider_order_id,
        provider_txn_id, payment_type, provider_name, provider_status
    ) *
    from staged_transactions
    where (app_id, transaction_id) in (select app_id, transaction_id from contested)
    order by
        app_id, transaction_id, reference, currency, amount, status, created_at, updated_at, provider_order_id,
        provider_txn_id, payment_type, provider_name, provider_status, file, row_number
),

versions as (
    select
        *,
        rank() over (
            partition by app_id, transaction_id order by coalesce(updated_at, created_at) desc
        ) as age
    from distinct_records
)

select
    versions.*,
    count(*) over (partition by app_id, transaction_id) as contenders
from versions
where age = 1;

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
    currency, amount, null, created_at, null, null
from newest
where
    contenders > 1
    or (app_id, transaction_id) in (select app_id, record_id from staged_rejections where record_id is not null);

delete from newest using staged_rejections as rejected
where newest.app_id = rejected.app_id and newest.transaction_id = rejected.record_id;

-- A view, since a copy of all that was staged would take longer than to look the contested ids up twice.
create temp view incoming as
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status
from staged_transactions
where
    not exists (
        select from contested
        where
            contested.app_id = staged_transactions.app_id
            and contested.transaction_id = staged_transactions.transaction_id
    )
union all
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status
from newest;

-- What says something else than before; `moved` is whether matching sees the difference. A record that an
-- older page or night gave with a later `updatedAt` stays as it is.
create temp table changes on commit drop as
select
    incoming.*,
    this_load.load_id,
    held.number as held_number,
    (
        (
            held.reference, held.currency, held.amount, held.status, held.created_at, held.provider_order_id,
            held.provider_txn_id, held.payment_type
        ) is distinct from (
            incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.created_at,
            incoming.provider_order_id, incoming.provider_txn_id, incoming.payment_type
        )
    ) as moved
from incoming
inner join this_load using (app_id)
inner join transactions as held using (app_id, transaction_id)
where
    coalesce(held.updated_at, held.created_at) <= coalesce(incoming.updated_at, incoming.created_at)
    and (
        held.reference, held.currency, held.amount, held.status, held.created_at, held.updated_at,
        held.provider_order_id, held.provider_txn_id, held.payment_type, held.provider_name,
        held.provider_status
    ) is distinct from (
        incoming.reference, incoming.currency, incoming.amount, incoming.status, incoming.created_at,
        incoming.updated_at, incoming.provider_order_id, incoming.provider_txn_id,
        incoming.payment_type, incoming.provider_name, incoming.provider_status
    );

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

create temp table last_number on commit drop as
select coalesce(max(number), 0) as number
from transactions;

select pg_temp.rest_indexes('transactions', (select count(*) from staged_transactions));

insert into transactions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, changed_in
)
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, load_id
from incoming
inner join this_load using (app_id)
where
    not exists (
        select from transactions as held
        where held.app_id = incoming.app_id and held.transaction_id = incoming.transaction_id
    );

select pg_temp.wake_indexes();

-- Only what is new carries the number of this load up to here. It has the highest numbers, too: by them a few are
-- found among many, whatever is known of the loads before.
update loads
set
    records = (
        select count(*) from transactions
        where number > (select number from last_number) and changed_in = loads.load_id
    )
from this_load
where loads.load_id = this_load.load_id;

create temp table loaded on commit drop as
select
    (select count(*) from incoming) as usable,
    (select sum(records) from loads inner join this_load using (load_id))::bigint as added,
    (select count(*) from changes) as changed,
    0 as in_force,
    0 as withdrawn;

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
