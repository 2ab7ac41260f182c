-- Grain: one row a transaction that one of the asked references has.
-- Purpose: What `reconcile ledger inspect` compares the amounts of a ledger with.
-- Reads: transactions
-- Makes: none

select
    comparable,
    currency,
    amount,
    payment_type
from transactions
where app_id = any(:app_ids) and comparable = any(:references)
