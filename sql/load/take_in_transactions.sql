-- Grain: one row a transaction.
-- Purpose: Moves the staged records of one fetch into `transactions`. Of several records with one id the later
-- `updatedAt` wins; different ones with one `updatedAt` are all quarantined, so the result does not depend on the
-- order of pages. Older versions are kept.
-- Reads: contested, staged_rejections, staged_scope, staged_transactions, this_load, transactions
-- Makes: changes, changes_of_load, compared, incoming_ids, loaded, newest, staged_rejections, staged_transactions,
--   this_book, transaction_versions, transactions

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

-- What is left is what KS Pay says, an id a row.
delete from staged_transactions as staged using contested
where staged.app_id = contested.app_id and staged.transaction_id = contested.transaction_id;

insert into staged_transactions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, file, row_number
)
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, file, row_number
from newest;

-- The first fetch of an app has nothing to be compared with. In its order the index says at once that there is none.
create temp table this_book on commit drop as
select not exists (
    select from staged_scope
    cross join lateral (
        select currency from transactions
        where app_id = staged_scope.app_id
        order by currency
        limit 1
    ) as held
) as is_empty;

-- Grain: one row a staged record that is new or says something else than before, where there is something to compare
-- it with; `moved` is whether matching sees the difference. A record that an older page or night gave with a later
-- `updatedAt` stays as it is. Kept, so that the two are joined once.
create temp table compared on commit drop as
select
    staged.ctid as place,
    this_load.load_id,
    held.number as held_number,
    held.number is null or (
        (
            held.reference, held.currency, held.amount, held.status, held.created_at, held.provider_order_id,
            held.provider_txn_id, held.payment_type
        ) is distinct from (
            staged.reference, staged.currency, staged.amount, staged.status, staged.created_at,
            staged.provider_order_id, staged.provider_txn_id, staged.payment_type
        )
    ) as moved
from staged_transactions as staged
inner join this_load using (app_id)
left join transactions as held using (app_id, transaction_id)
where
    not (select is_empty from this_book)
    and (
        held.number is null
        or (
            coalesce(held.updated_at, held.created_at) <= coalesce(staged.updated_at, staged.created_at)
            and (
                held.reference, held.currency, held.amount, held.status, held.created_at, held.updated_at,
                held.provider_order_id, held.provider_txn_id, held.payment_type, held.provider_name,
                held.provider_status
            ) is distinct from (
                staged.reference, staged.currency, staged.amount, staged.status, staged.created_at,
                staged.updated_at, staged.provider_order_id, staged.provider_txn_id, staged.payment_type,
                staged.provider_name, staged.provider_status
            )
        )
    );

analyze compared;

create temp view changes as
select place, load_id, held_number, moved
from compared
union all
select staged.ctid, load_id, null, true
from staged_transactions as staged
inner join this_load using (app_id)
where (select is_empty from this_book);

-- Grain: one row a load that brought a change: how many there are. Kept, so that a million changes are counted once.
create temp table changes_of_load on commit drop as
select
    load_id,
    count(*) filter (where held_number is null) as added,
    count(held_number) as changed,
    count(*) filter (where moved) as moved
from changes
group by load_id;

create temp table loaded on commit drop as
select
    (select count(*) from staged_transactions) as usable,
    coalesce(sum(added), 0)::bigint as added,
    coalesce(sum(changed), 0)::bigint as changed,
    0 as in_force,
    0 as withdrawn
from changes_of_load;

insert into transaction_versions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, number, changed_in,
    replaced_in
)
select
    held.app_id, held.transaction_id, held.reference, held.comparable, held.currency, held.amount, held.status,
    held.created_at, held.updated_at, held.provider_order_id, held.provider_txn_id, held.payment_type,
    held.provider_name, held.provider_status, held.number, held.changed_in, compared.load_id
from compared
inner join transactions as held on held.number = compared.held_number;

select pg_temp.rest_indexes('transactions', (select added from loaded));

-- Joined, not `in` beside an `or`: that would be a list, looked through for each row once it is too long to be hashed.
insert into transactions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, changed_in
)
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, load_id
from staged_transactions
inner join this_load using (app_id)
where (select is_empty from this_book)
union all
select
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, compared.load_id
from compared
inner join staged_transactions as staged on staged.ctid = compared.place
where compared.held_number is null;

select pg_temp.wake_indexes();

update transactions as held set
    reference = staged.reference,
    comparable = staged.comparable,
    currency = staged.currency,
    amount = staged.amount,
    status = staged.status,
    created_at = staged.created_at,
    updated_at = staged.updated_at,
    provider_order_id = staged.provider_order_id,
    provider_txn_id = staged.provider_txn_id,
    payment_type = staged.payment_type,
    provider_name = staged.provider_name,
    provider_status = staged.provider_status,
    changed_in = case when compared.moved then compared.load_id else held.changed_in end
from compared
inner join staged_transactions as staged on staged.ctid = compared.place
where held.number = compared.held_number;
