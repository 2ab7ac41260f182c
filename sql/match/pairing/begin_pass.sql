-- Grain: one row.
-- Purpose: Says which pass runs now.
-- Reads: none
-- Makes: pass

update pass set phase = :phase, rule = :rule
