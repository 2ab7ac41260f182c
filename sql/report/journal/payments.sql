-- Grain: one row a transaction of these.
-- Purpose: Its whole reference, and the fee that is expected of it.
-- Reads: transactions
-- Makes: none

select
    transaction_id,
    reference,
    expected_fee(
        cast(:fees as jsonb), payment_type, currency, amount, business_date(created_at, :timezone)
    ) as fee
from transactions
where app_id = :app_id and transaction_id = any(cast(:ids as text[]))
order by transaction_id collate "C"
