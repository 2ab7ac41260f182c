-- Grain: one row.
-- Purpose: What a load took in: the numbers that it is checked and reported by.
-- Reads: loaded, rejected, this_import
-- Makes: none

select
    usable,
    added,
    changed,
    in_force,
    withdrawn,
    (select count(*) from rejected) as quarantined,
    (select import_id from this_import) as import_id
from loaded
