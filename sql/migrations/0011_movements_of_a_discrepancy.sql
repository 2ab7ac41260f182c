-- Grain: none; an index.
-- Purpose: A sheet of decisions asks for the newest movement of each of its discrepancies.
-- Reads: none
-- Makes: movements

create index on movements (discrepancy_id, run);
