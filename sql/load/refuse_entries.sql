-- Grain: one row an entry that the suite refuses.
-- Purpose: Take the refused entries out of the staging table, with all that their rejections say. `places` are where
-- they stand in the table, as the view of the suite names them.
-- Reads: none
-- Makes: staged_entries

delete from staged_entries
where ctid = any(cast(:places as tid[]))
returning
    cast(ctid as text) as place,
    file,
    row_number,
    came,
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
