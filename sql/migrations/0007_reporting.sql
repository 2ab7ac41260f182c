-- Grain: five views.
-- Purpose: What reporting tools read. Their columns stay as they are; those of the tables may change.
-- Reads: discrepancies, runs
-- Makes: reporting_discrepancies, reporting_open, reporting_runs, reporting_totals, reporting_types

-- Grain: one row a run that reports. `latest`: the newest finished one of the newest as-of day, of its apps.
create view reporting_runs as
select
    run_id,
    apps,
    period_first,
    period_last as as_of,
    state,
    started_at,
    finished_at,
    error,
    (report ->> 'new')::integer as new,
    (report ->> 'cleared')::integer as cleared,
    state = 'finished' and number = first_value(number) over (
        partition by apps, state
        order by period_last desc, number desc
    ) as latest
from runs
where command = 'run';

-- Grain: one row a finished run, app, severity and currency: what was open after it, and the amount at stake.
create view reporting_open as
select
    runs.run_id,
    runs.period_last as as_of,
    open.app_id,
    open.severity,
    open.currency,
    open.count,
    open.amount
from runs
cross join
    lateral jsonb_to_recordset(runs.report -> 'open') as open (
        app_id text, severity text, currency text, count bigint, amount numeric
    )
where runs.command = 'run' and runs.state = 'finished';

-- Grain: one row a finished run and type: how many discrepancies of it were open.
create view reporting_types as
select
    runs.run_id,
    runs.period_last as as_of,
    found.key as type,
    found.value::bigint as count
from runs
cross join lateral jsonb_each_text(runs.report -> 'discrepancies') as found
where runs.command = 'run' and runs.state = 'finished';

-- Grain: one row a finished run, scope, side, currency and outcome: the rows of its summary.csv.
create view reporting_totals as
select
    runs.run_id,
    runs.period_last as as_of,
    total.scope,
    total.side,
    total.currency,
    total.outcome,
    total.count,
    total.amount
from runs
cross join
    lateral jsonb_to_recordset(runs.report -> 'totals') as total (
        scope text, side text, currency text, outcome text, count bigint, amount numeric
    )
where runs.command = 'run' and runs.state = 'finished';

-- Grain: one row a discrepancy that was ever reported. `cleared_by` is the run that no longer found it.
create view reporting_discrepancies as
select
    discrepancy_id,
    app_id,
    side,
    source,
    record_id,
    aspect,
    type,
    severity,
    first_seen,
    cleared_by
from discrepancies;

-- The reader of deploy/roles.sql, where there is one.
do $$
begin
    if to_regrole('reconcile_reader') is not null then
        grant select on
        reporting_runs, reporting_open, reporting_types, reporting_totals, reporting_discrepancies
        to reconcile_reader;
    end if;
end
$$;
