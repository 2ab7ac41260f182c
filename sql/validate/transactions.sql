-- Grain: one row a transaction of an app.
-- Purpose: What `reconcile validate` checks again of KS Pay.
-- Reads: transactions
-- Makes: none

select
    app_id,
    transaction_id,
    reference,
    currency,
    amount,
    status,
    created_at,
    updated_at,
    provider_order_id,
    provider_txn_id,
    payment_type,
    provider_name,
    provider_status
from transactions
where app_id = :app_id
