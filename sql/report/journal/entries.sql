-- Grain: one row an entry of an app with one of these ids.
-- Purpose: What a journal states again.
-- Reads: entries
-- Makes: none

select
    source,
    ledger_id,
    reference,
    currency,
    amount,
    status,
    coalesce(
        cast(dated_on as text), to_char(dated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) as entry_date,
    transaction_id,
    provider_order_id,
    provider_txn_id,
    description
from entries
where app_id = :app_id and ledger_id = any(cast(:ids as text[])) and not withdrawn
order by source collate "C", ledger_id collate "C"
