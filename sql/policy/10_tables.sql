-- The settings that matching depends on, as tables: so the statements of sql/match have no parameters
-- and run in psql as they stand.

-- One row.
create temp table policy (
    run_id text not null,
    app_ids text[] not null,
    period_first date not null,
    period_last date not null,  -- the as-of day: every age and grace counts from it
    newest_as_of date not null,  -- the latest as-of day of any finished run, this one included
    timezone text not null,  -- the business time zone
    date_tolerance_days integer not null,
    duplicate_days integer not null,
    grace_days integer not null,
    stale_before timestamptz not null,  -- a pending transaction created before it is stale
    tolerance_fixed numeric not null,  -- of currencies that `tolerance` does not name; major units
    tolerance_percent numeric not null  -- of the KS Pay amount
) on commit drop;

create temp table status_family (
    side text not null,
    status text not null,  -- lower case
    family text not null,
    primary key (side, status)
) on commit drop;

create temp table tolerance (
    currency text primary key,
    fixed numeric not null,
    percent numeric not null
) on commit drop;

-- One row: the pass that is running.
create temp table pass (phase integer, rule text) on commit drop;

insert into pass values (null, null);

-- The periods of the runs that finished, by app: the days that are covered.
create temp table covered on commit drop as
select distinct
    app_id,
    period_first,
    period_last
from runs
cross join unnest(apps) as app_id
where command = 'run' and state = 'finished';
