-- Grain: one row.
-- Purpose: What the withdrawal of an import did.
-- Reads: released, restored, undone
-- Makes: none

select
    withdrawn,
    returned,
    (select count(*) from released) as released,
    (select count(*) from restored) as restored
from undone
