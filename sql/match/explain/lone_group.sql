-- Grain: none: two tables are emptied.
-- Purpose: Lets the group of one record be worked out from this record alone, even if others changed.
-- Reads: none
-- Makes: fresh_key, frontier

truncate frontier, fresh_key
