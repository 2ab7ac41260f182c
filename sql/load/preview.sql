-- Grain: one row.
-- Purpose: What an import would make of what was staged, counted for `ledger inspect`.
-- Reads: rejected, staged_entries, staged_rejections
-- Makes: none

select
    (select count(*) from staged_entries) as usable,
    (select count(*) from rejected) as quarantined,
    (select count(*) from staged_rejections) as refused
