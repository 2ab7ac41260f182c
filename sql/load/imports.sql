-- Grain: one row an import, the newest first.
-- Purpose: What `reconcile ledger list` shows.
-- Reads: imports
-- Makes: none

select
    import_id,
    source,
    file,
    imported_at,
    records,
    added,
    changed,
    quarantined,
    withdrawn,
    passed_over,
    snapshot,
    allowed,
    withdrawn_at
from imports
order by import_id desc
limit :limit
