-- Grain: one row a record that cannot be used, the oldest first.
-- Purpose: What `reconcile quarantine` shows.
-- Reads: quarantine
-- Makes: none

select
    quarantined_at as since,
    side,
    source,
    record_id,
    file,
    row_number,
    field,
    value,
    reason,
    currency,
    amount
from quarantine
order by quarantined_at, side, source collate "C", file collate "C", row_number, content
limit :limit
