-- Grain: one row a type of discrepancy.
-- Purpose: States the severities and the order of reports. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: discrepancy_type

insert into discrepancy_type (type, severity, severity_of_refunded, severity_rank, type_rank)
values (:type, :severity, :severity_of_refunded, :severity_rank, :type_rank)
