-- What both books say, as last read, with every older version kept; and what could not be used.
-- Amounts are exact numerics in the currency's major unit. Families and business dates are not
-- stored: they depend on settings, and sql/match works them out when records are matched.

create table runs (
    run_id text primary key,  -- 2026-08-01_2026-08-31_2: the period, and which run of it this is
    command text not null check (command in ('run', 'fetch')),
    apps text[] not null,
    period_first date not null,
    period_last date not null,
    state text not null default 'running' check (state in ('running', 'finished', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    folder text,  -- where the report files are (or, of a running run, will be)
    error text,  -- the line that a failed run ended with
    report jsonb,  -- the run.json of a finished run
    check (period_first <= period_last),
    check ((state = 'running') = (finished_at is null))
);

-- Completeness of what was fetched: one row a window of Fetch All Transactions that was read to its end.
create table fetched_windows (
    run_id text not null references runs,
    app_id text not null,
    number integer not null,  -- in the order in which they were read
    window_first date not null,  -- fromDate and toDate as asked for
    window_last date not null,
    pages integer not null,  -- answers, the empty and the repeated ones included
    records integer not null,  -- in all of them
    distinct_ids integer not null,
    passes integer not null,  -- readings from the first page on
    first_created_at timestamptz,
    last_created_at timestamptz,
    total integer,  -- what the server said that the window holds, if anything; only recorded, never believed
    proof text not null,  -- why nothing can be missing
    primary key (run_id, app_id, number)
);

-- The first UTC day that KS Pay accepts for an app (it refuses days before the app's creation).
create table first_days (
    app_id text primary key,
    first_day date not null
);

create table imports (
    import_id bigint generated always as identity primary key,
    source text not null,  -- the profile's name, else default
    file text not null,
    sha256 text not null,
    imported_at timestamptz not null default clock_timestamp(),
    records integer not null,  -- rows that hold anything
    entries integer not null,  -- distinct usable records
    repeats integer not null,  -- rows equal to an earlier row of the file
    quarantined integer not null,
    added integer not null,
    changed integer not null,
    check (records = entries + repeats + quarantined)
);

create table transactions (
    app_id text not null,
    transaction_id text not null,
    reference text,
    currency text not null,
    amount numeric not null,
    status text not null,
    created_at timestamptz not null,
    updated_at timestamptz,
    provider_order_id text,
    provider_txn_id text,
    payment_type text,
    provider_name text,
    provider_status text,
    primary key (app_id, transaction_id)
);

create table entries (
    app_id text not null,
    source text not null,
    ledger_id text not null,
    reference text,
    currency text not null,
    amount numeric not null,
    status text not null,
    dated_on date,
    dated_at timestamptz,
    transaction_id text,
    provider_order_id text,
    provider_txn_id text,
    description text,
    primary key (app_id, source, ledger_id),
    check ((dated_on is null) <> (dated_at is null))
);

-- Older versions, kept when a record changes: what it said until `replaced_at`.
create table transaction_versions (
    like transactions,
    replaced_at timestamptz not null default clock_timestamp()
);
create index on transaction_versions (app_id, transaction_id);

create table entry_versions (
    like entries,
    replaced_at timestamptz not null default clock_timestamp()
);
create index on entry_versions (app_id, source, ledger_id);

-- Records that cannot be used, until their source corrects them. A record is known by its id, and
-- one without an id by its content. While a record is here, an older version of it is not matched.
create table quarantine (
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    source text not null,  -- kspay, or the ledger's profile
    record_id text,
    content text not null,  -- SHA-256 of `raw` before it is cut
    file text not null,
    row_number integer not null,
    field text not null,
    value text not null,
    reason text not null,
    raw text not null,
    currency text,
    dated_on date,
    dated_at timestamptz,
    fetched_first date,  -- the days asked for when KS Pay last gave it: a later answer that covers
    fetched_last date,  --  them and lacks it clears a record without an id
    since timestamptz not null default clock_timestamp(),
    unique nulls not distinct (app_id, side, source, record_id, content)
);

create table quarantine_versions (
    like quarantine,
    cleared_at timestamptz not null default clock_timestamp()
);
