-- Grain: one row an entry.
-- Purpose: The first entries that an import would take in, as a person looks at them.
-- Reads: staged_entries
-- Makes: none

select file, row_number, ledger_id, amount, currency, dated_on, dated_at, reference, status
from staged_entries
order by array_position(cast(:sheets as text[]), file), row_number
limit :most
