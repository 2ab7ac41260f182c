-- Grain: one row a record that cannot be used, of the period or earlier, wherever it stands now.
-- Purpose: quarantine.csv.
-- Reads: broken, involved, reported
-- Makes: none

select
    broken.side,
    broken.source,
    broken.file,
    broken.row_number as row,
    broken.field,
    broken.value,
    broken.reason,
    broken.raw
from reported
inner join involved using (found_no)
inner join broken on involved.side = 'broken' and broken.broken_rank = involved.number
order by
    broken.side, broken.source collate "C", broken.file collate "C", broken.row_number,
    broken.known_by collate "C"
