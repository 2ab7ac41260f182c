-- Grain: none; a column.
-- Purpose: The amount of a quarantined record, where it can be read surely and its currency is known: it is at stake.
-- Reads: none
-- Makes: quarantine, quarantine_versions

alter table quarantine add column amount numeric;
alter table quarantine_versions add column amount numeric;
