-- Grain: one row.
-- Purpose: Whether something of this app arrived or changed since the last run.
-- Reads: loads
-- Makes: none

select exists(select from loads where app_id = :app_id and records > 0 and matched_by is null)
