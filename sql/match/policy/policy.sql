-- Grain: one row.
-- Purpose: The settings. Parameters are those of reconcile.match.policy.
-- Reads: none
-- Makes: policy

insert into policy values (
    :app_ids, :timezone, :date_tolerance_days, :duplicate_days, :tolerance_fixed, :tolerance_percent,
    :accept_suggestions, :most_records_of_a_key, cast(:fees as jsonb)
)
