-- Grain: one version of a transaction, the oldest first; the last row is what it says now (`replaced_in` null).
-- Purpose: Shows what changed from version to version.
-- Reads: known_transaction, transaction_versions, transactions
-- Makes: none

select
    number, changed_in, replaced_in, replaced_at, reference, currency, amount, status, created_at, updated_at,
    provider_order_id, provider_txn_id, payment_type, provider_name, provider_status, null as family,
    null::date as business_on
from transaction_versions
where app_id = :app_id and transaction_id = :record_id
union all
select
    held.number, held.changed_in, null, null, held.reference, held.currency, held.amount, held.status,
    held.created_at, held.updated_at, held.provider_order_id, held.provider_txn_id, held.payment_type,
    held.provider_name, held.provider_status, known_transaction.family, known_transaction.business_on
from transactions as held
left join known_transaction using (number)
where held.app_id = :app_id and held.transaction_id = :record_id
order by replaced_in nulls last, replaced_at
