-- Grain: one row an id and place where it is found, whatever the app, usable or not.
-- Purpose: Lets a message say why an id cannot be matched.
-- Reads: entries, quarantine, transactions
-- Makes: none

with found as (
    select 'kspay' as side, app_id, 'kspay' as source, transaction_id as record_id, false as in_quarantine
    from transactions
    union all
    select 'ledger', app_id, source, ledger_id, false
    from entries
    union all
    select side, app_id, source, record_id, true
    from quarantine
)

select side, app_id, source, record_id, in_quarantine
from found
where record_id = any(:ids)
order by in_quarantine desc, app_id collate "C"
