-- Grain: one row a transaction. Moves the staged records into `transactions`: of several records
-- with one id the later `updatedAt` wins, and two different ones of one `updatedAt` are both
-- quarantined, so the result does not depend on the order of pages. Older versions are kept.

create temp table incoming on commit drop as
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
        order by
            app_id, transaction_id, reference, currency, amount, status, created_at, updated_at, provider_order_id,
            provider_txn_id, payment_type, provider_name, provider_status, file, row_number
    ) as distinct_records
)

select
    *,
    count(*) over (partition by app_id, transaction_id) as contenders
from versions
where age = 1;

create temp table incoming_ids on commit drop as
select app_id, transaction_id as record_id from incoming
union
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
    or exists (
        select from staged_rejections as broken
        where broken.app_id = incoming.app_id and broken.record_id = incoming.transaction_id
    );

delete from incoming using staged_rejections as rejected
where incoming.app_id = rejected.app_id and incoming.transaction_id = rejected.record_id;

analyze incoming;

-- What is new or says something else than before. A record that an older page or night gave with a
-- later `updatedAt` stays as it is.
create temp table changes on commit drop as
select
    incoming.*,
    held.app_id is null as is_new
from incoming
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
    count(*) filter (where is_new) as added,
    count(*) filter (where not is_new) as changed
from changes;

insert into transaction_versions
select held.*
from transactions as held
inner join changes using (app_id, transaction_id);

insert into transactions as held
select
    app_id, transaction_id, reference, currency, amount, status, created_at,
    updated_at, provider_order_id, provider_txn_id, payment_type,
    provider_name, provider_status
from changes
on conflict (app_id, transaction_id) do update set
    reference = excluded.reference,
    currency = excluded.currency,
    amount = excluded.amount,
    status = excluded.status,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    provider_order_id = excluded.provider_order_id,
    provider_txn_id = excluded.provider_txn_id,
    payment_type = excluded.payment_type,
    provider_name = excluded.provider_name,
    provider_status = excluded.provider_status;
