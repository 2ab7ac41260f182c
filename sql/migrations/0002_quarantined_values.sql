-- Grain: none; a column.
-- Purpose: What a quarantined record says, where it could be typed: the suites can be shown with it.
-- Reads: none
-- Makes: quarantine

alter table quarantine add column typed jsonb;
