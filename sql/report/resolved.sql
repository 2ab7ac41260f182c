-- Grain: one row a discrepancy that a decision in force covers, in the order of the file.
-- Purpose: resolved.csv.
-- Reads: reported_in_order
-- Makes: none

select * from reported_in_order where status = 'resolved'
