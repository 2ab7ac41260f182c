-- Grain: one row a currency that has a tolerance of its own.
-- Purpose: States the tolerances of the settings. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: tolerance

insert into tolerance (currency, fixed, percent)
select
    currency,
    fixed,
    percent
from
    unnest(cast(:currencies as text[]), cast(:fixed as numeric[]), cast(:percents as numeric[]))
        as t (currency, fixed, percent)
