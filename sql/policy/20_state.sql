-- One row: what this run goes by.
insert into policy
select
    :run_id,
    :app_ids,
    :first,
    :last,
    greatest(:last, max(period_last)),
    :timezone,
    :date_tolerance_days,
    :duplicate_days,
    :grace_days,
    :stale_before,
    :tolerance_fixed,
    :tolerance_percent
from runs
where command = 'run' and state = 'finished' and apps && :app_ids
