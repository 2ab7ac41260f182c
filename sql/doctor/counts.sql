-- Grain: one row.
-- Purpose: How much the database holds.
-- Reads: entries, quarantine, transactions
-- Makes: none

select
    (select count(*) from transactions) as transactions,
    (select count(*) from entries) as entries,
    (select count(*) from quarantine) as quarantined
