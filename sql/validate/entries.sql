-- Grain: one row an entry of an app that counts.
-- Purpose: What `reconcile validate` checks again of the ledger.
-- Reads: entries
-- Makes: none

select
    app_id,
    source,
    ledger_id,
    reference,
    currency,
    amount,
    status,
    dated_on,
    dated_at,
    transaction_id,
    provider_order_id,
    provider_txn_id,
    description
from entries
where app_id = :app_id and not withdrawn
