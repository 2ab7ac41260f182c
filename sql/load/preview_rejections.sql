-- Grain: one row a row that an import would quarantine.
-- Purpose: The first of these rows, each with its reason.
-- Reads: staged_rejections
-- Makes: none

select file, row_number, reason
from staged_rejections
order by array_position(cast(:sheets as text[]), file), row_number
limit :most
