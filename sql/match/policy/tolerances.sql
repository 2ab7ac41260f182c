-- Grain: one row a currency that has a tolerance of its own.
-- Purpose: States the tolerances of the settings. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: tolerance

insert into tolerance (currency, fixed, percent) values (:currency, :fixed, :percent)
