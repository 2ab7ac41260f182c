-- Grain: one row a reported discrepancy that is open, in the order of the file.
select * from reported_row where status <> 'resolved'
