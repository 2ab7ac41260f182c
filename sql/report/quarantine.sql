-- Grain: one row a record that cannot be used, of the period or earlier, wherever it stands now.
-- Purpose: quarantine.csv.
-- Reads: result_quarantine
-- Makes: none

select
    side,
    source,
    file,
    row_number as row,
    field,
    value,
    reason,
    raw
from result_quarantine
order by side, source collate "C", file collate "C", row_number, known_by collate "C"
