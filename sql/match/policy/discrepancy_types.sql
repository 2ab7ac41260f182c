-- Grain: one row a type of discrepancy.
-- Purpose: States the severities and the order of reports. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: discrepancy_type

insert into discrepancy_type (type, severity, severity_of_refunded, severity_rank, type_rank)
select
    type,
    severity,
    severity_of_refunded,
    severity_rank,
    type_rank
from
    unnest(
        cast(:types as text[]),
        cast(:severities as text[]),
        cast(:severities_of_refunded as text[]),
        cast(:severity_ranks as integer[]),
        cast(:type_ranks as integer[])
    ) as t (type, severity, severity_of_refunded, severity_rank, type_rank)
