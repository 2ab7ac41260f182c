select distinct
    period_first,
    period_last
from runs
where command = 'run' and state = 'finished' and :app_id = any(apps)
