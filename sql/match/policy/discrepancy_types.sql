-- Grain: one row a type of discrepancy.
insert into discrepancy_type (type, severity, severity_of_refunded, severity_rank, type_rank)
values (:type, :severity, :severity_of_refunded, :severity_rank, :type_rank)
