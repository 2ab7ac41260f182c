-- Grain: one row a transaction that was staged.
-- Purpose: What the suite of transactions looks at: the columns by the names that people read, and `place`, by which
-- a row that breaks an expectation is found again.
-- Reads: staged_transactions
-- Makes: judged_transactions

create or replace temp view judged_transactions as
select
    staged.ctid::text as place,
    staged.app_id,
    nullif(staged.transaction_id, '') as transaction_id,
    staged.reference,
    staged.currency,
    staged.amount,
    staged.status,
    staged.created_at,
    staged.updated_at,
    staged.provider_order_id,
    staged.provider_txn_id,
    staged.payment_type as payment_method,
    staged.provider_name,
    staged.provider_status
from staged_transactions as staged
