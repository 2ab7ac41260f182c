-- Grain: one row a transaction that the suite refuses.
-- Purpose: Take the refused transactions out of the staging table, with all that their rejections say. `places` are
-- where they stand in the table, as the view of the suite names them.
-- Reads: none
-- Makes: staged_transactions

delete from staged_transactions
where ctid = any(cast(:places as tid[]))
returning
    cast(ctid as text) as place,
    file,
    row_number,
    came,
    fetched_first,
    fetched_last,
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
