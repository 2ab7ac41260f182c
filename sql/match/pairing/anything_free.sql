-- Grain: one row.
-- Purpose: Whether records of both sides are left for the running pass. Where one side has none, no rule pairs any.
-- Reads: free_txn, free_unit
-- Makes: none

select exists (select from free_txn) and exists (select from free_unit)
