-- Grain: one row a side and status: the family that the settings give it.
-- Purpose: States which words mean paid, refunded and so on. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: status_family

insert into status_family (side, status, family)
select
    side,
    status,
    family
from unnest(cast(:sides as text[]), cast(:statuses as text[]), cast(:families as text[])) as f (side, status, family)
