-- Grain: each table says its own.
-- Purpose: The settings that matching depends on, as tables: so the statements that match have no parameters and run in
-- psql as they stand.
-- Reads: none
-- Makes: asked, discrepancy_type, policy, status_family, tolerance

-- One row: what does not change from run to run.
create temp table policy (
    app_ids text[] not null,
    timezone text not null,  -- the business time zone
    date_tolerance_days integer not null,
    duplicate_days integer not null,
    tolerance_fixed numeric not null,  -- of currencies that `tolerance` does not name; major units
    tolerance_percent numeric not null,  -- of the KS Pay amount
    accept_suggestions boolean not null,
    most_records_of_a_key integer not null,  -- of one side; a key that more of them carry joins nothing
    fees jsonb  -- what gateways keep, as the function `expected_fee` reads it; null where nothing is stated
) on commit drop;

create temp table status_family (
    side text not null,
    status text not null,  -- in lower case, and words of other letters than ASCII in their other usual spellings too
    family text not null,
    primary key (side, status)
) on commit drop;

create temp table tolerance (
    currency text primary key,
    fixed numeric not null,
    percent numeric not null
) on commit drop;

-- The types of discrepancies, as reconcile.core.discrepancies states them.
create temp table discrepancy_type (
    type text primary key,
    severity text not null,
    severity_of_refunded text not null,  -- of a refunded transaction
    severity_rank integer not null,  -- by urgency, the most urgent first
    type_rank integer not null  -- the order of reports within a severity
) on commit drop;

-- One row: what the run was asked for.
create temp table asked (
    run_id text not null,
    run_number integer not null,
    period_first date not null,
    period_last date not null,  -- the as-of day: every age and grace counts from it
    newest_as_of date not null,  -- the latest as-of day of any finished run, this one included
    grace_days integer not null,
    stale_before timestamptz not null  -- a pending transaction created before it is stale
) on commit drop;
