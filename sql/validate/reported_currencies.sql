-- Grain: one row a currency of the records that a run reports.
-- Purpose: Lets a currency that the settings no longer name be refused before a file is written.
-- Reads: result_summary
-- Makes: none

select distinct currency
from result_summary
where outcome <> 'quarantined'
order by currency
