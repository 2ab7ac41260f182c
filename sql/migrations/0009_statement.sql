-- What a month's close statement adds up: how the open items of a run differ from those of the run before it.

-- Grain: one row a finished run and app. `base` is the run that its open items are compared with: of the
-- runs as of the same day or an earlier one, the newest of the latest day. So a close that is run again days
-- later follows the close before it, and not the nights since.
create table run_bases (
    run integer not null,  -- runs.number
    app_id text not null,
    as_of date not null,
    base integer,  -- runs.number; null in the first
    primary key (run, app_id)
);
create index on run_bases (app_id, as_of, run);

-- Grain: one row a run and discrepancy that is open after it and was not after its base, is no longer open,
-- or changed its facts. Currency and amount are those that are open after the run; null when it is no longer open.
create table movements (
    run integer not null,  -- runs.number
    discrepancy_id text not null,
    app_id text not null,
    kind text not null check (kind in ('new', 'reopened', 'changed', 'cleared', 'resolved')),
    type text not null,
    facts text not null,
    currency text,  -- empty where a record that cannot be used has none
    amount numeric,
    primary key (run, discrepancy_id),
    check ((currency is null) = (amount is null)),
    check ((currency is null) = (kind in ('cleared', 'resolved')))
);
