-- Grain: none.
-- Purpose: Names two instants as instants: `_at`, as everywhere.
-- Reads: prunings, quarantine, quarantine_versions
-- Makes: none

alter table quarantine rename column since to quarantined_at;
alter table quarantine_versions rename column since to quarantined_at;
alter table prunings rename column before to before_at;
