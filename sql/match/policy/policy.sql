-- One row: the settings. Parameters are those of reconcile.match.state_policy.
insert into policy values (
    :app_ids, :timezone, :date_tolerance_days, :duplicate_days, :tolerance_fixed, :tolerance_percent,
    :accept_suggestions
)
