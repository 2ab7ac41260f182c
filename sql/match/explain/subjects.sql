-- Grain: one record or one discrepancy with this id or reference, of any app and source.
-- Purpose: An entry is found by its ledger id, and by source:id; a record also by its reference. `place` sorts the
-- finds.
-- Reads: discrepancies, entries, entry_versions, quarantine, quarantine_versions, transactions
-- Makes: none

with named as (
    select 'kspay' as side, app_id, 'kspay' as source, transaction_id as record_id
    from transactions
    where transaction_id = :id
    union
    select 'ledger', app_id, source, ledger_id
    from entries
    where ledger_id = any(:forms)
    union
    select 'ledger', app_id, source, ledger_id
    from entry_versions
    where ledger_id = any(:forms)
    union
    select side, app_id, source, record_id
    from quarantine
    where record_id = any(:forms)
    union
    select side, app_id, source, record_id
    from quarantine_versions
    where record_id = any(:forms)
),

subject as (
    select null as discrepancy_id, side, app_id, source, record_id
    from named
    where record_id = :id or (side = 'ledger' and entry_label(source, record_id) = :id)
    union
    select null, 'kspay', app_id, 'kspay', transaction_id
    from transactions
    where comparable = :comparable and reference = :id
    union
    select null, 'ledger', app_id, source, ledger_id
    from entries
    where comparable = :comparable and reference = :id
    union all
    select discrepancy_id, side, app_id, source, record_id
    from discrepancies
    where discrepancy_id = :id
)

select discrepancy_id, side, app_id, source, record_id
from subject
order by side, app_id, source, record_id
