-- Grain: one row a reported discrepancy that is open, in the order of the file.
select * from reported_in_order where status <> 'resolved'
