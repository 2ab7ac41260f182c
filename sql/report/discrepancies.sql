-- Grain: one row a reported discrepancy that is open, in the order of the file.
-- Purpose: discrepancies.csv.
-- Reads: result_discrepancies
-- Makes: none

select * from result_discrepancies where status <> 'resolved'
