-- Grain: none: two tables are emptied.
-- Purpose: The group of one record is worked out from it alone: what changed elsewhere is left aside.
-- Reads: fresh_key
-- Makes: frontier

truncate frontier, fresh_key
