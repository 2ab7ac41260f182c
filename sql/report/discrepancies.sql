-- Grain: one row a reported discrepancy that is open, in the order of the file.
-- Purpose: discrepancies.csv.
-- Reads: reported_in_order
-- Makes: none

select * from reported_in_order where status <> 'resolved'
