-- Grain: one row a discrepancy that a decision in force covers, in the order of the file.
-- Purpose: resolved.csv.
-- Reads: result_discrepancies
-- Makes: none

select * from result_discrepancies where status = 'resolved'
