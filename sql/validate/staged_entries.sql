-- Grain: one row an entry that was staged.
-- Purpose: What the suite of entries looks at: the columns by the names that people read, and `place`, by which a row
-- that breaks an expectation is found again. A day is that of the ledger, or of UTC where the ledger has an instant.
-- Reads: staged_entries
-- Makes: judged_entries

create or replace temp view judged_entries as
select
    staged.ctid::text as place,
    staged.app_id,
    staged.source,
    nullif(staged.ledger_id, '') as ledger_id,
    staged.reference,
    staged.currency,
    staged.amount,
    staged.status,
    coalesce(staged.dated_on, (staged.dated_at at time zone 'UTC')::date) as date,
    staged.transaction_id,
    staged.provider_order_id,
    staged.provider_txn_id,
    staged.description
from staged_entries as staged
