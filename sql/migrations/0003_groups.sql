-- Matching remembers: what was matched stays, and only the groups of records that arrived or changed
-- are matched anew. Records get a short number, by which matches refer to them; it is never shown.

alter table runs add column number integer generated always as identity;

-- What one fetch or import changed, an app each. The records that it changed carry its number.
create table loads (
    load_id integer generated always as identity primary key,
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    records integer not null default 0,  -- that arrived, changed, or went into or out of quarantine
    loaded_at timestamptz not null default clock_timestamp(),
    matched_by text references runs  -- the run that matched them; null until then
);
create index on loads (app_id) where matched_by is null;

alter table transactions
add column number bigint generated always as identity,
add column comparable text,  -- the reference, normalised; itself where nothing is left of it
add column changed_in integer not null default 0;  -- the last load that changed what matching sees of it

alter table entries
add column number bigint generated always as identity,
add column comparable text,
add column changed_in integer not null default 0;

create unique index on transactions (number);
create index on transactions (comparable);
create index on transactions (provider_order_id);
create index on transactions (provider_txn_id);
create index on transactions (changed_in);
create index on transactions (created_at);

create unique index on entries (number);
create index on entries (comparable);
create index on entries (transaction_id) where transaction_id is not null;
create index on entries (provider_order_id) where provider_order_id is not null;
create index on entries (provider_txn_id) where provider_txn_id is not null;
create index on entries (changed_in);
-- Within a day of the business date, in whatever zone.
create index on entries ((coalesce(dated_on, (dated_at at time zone 'UTC')::date)));

-- The keys that a record had before belong to a group that must be matched anew as well.
alter table transaction_versions
add column number bigint,
add column comparable text,
add column changed_in integer,
add column replaced_in integer not null default 0;
create index on transaction_versions (replaced_in);

alter table entry_versions
add column number bigint,
add column comparable text,
add column changed_in integer,
add column replaced_in integer not null default 0;
create index on entry_versions (replaced_in);

-- The settings that the matches of an app rest on. Others: everything is matched anew.
create table matched_policies (
    app_id text primary key,
    policy text not null
);

-- Keys that more than 500 records of one side carry, and that therefore are none.
create table crowded_keys (
    app_id text not null,
    kind text not null,
    key text not null,
    primary key (app_id, kind, key)
);

drop table match_records;
drop table matches;

-- Matches, a pair of records a row. A match of several records is a star: every transaction and every
-- entry of it stands in a pair with the other side, and every pair holds `m` or an entry that pairs with `m`.
create table pairings (
    t bigint not null,  -- transactions.number
    e bigint not null,  -- entries.number
    m bigint not null,  -- the match: the number of its transaction with the lowest id
    rule text not null,
    made_by integer not null  -- runs.number
);
create index pairings_t on pairings (t);
create index pairings_e on pairings (e);
create index pairings_rule on pairings (rule) where rule in ('manual', 'amount_date');

-- Pairs that a later run undid.
create table pairing_versions (
    like pairings,
    undone_by integer not null  -- runs.number
);
create index on pairing_versions (t);
create index on pairing_versions (e);

-- A negative entry that belongs to a positive one: one booking.
create table bookings (
    e bigint primary key,  -- entries.number of the negative
    lead bigint not null  -- entries.number of the positive
);
create index on bookings (lead);

-- What is wrong with a match or an unmatched record, whatever the day: the period and the as-of day
-- decide later which of it is reported, and under which type.
create table findings (
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    number bigint not null,  -- the record that the finding stands at; of a match its lowest transaction
    aspect text not null check (aspect in ('presence', 'amount', 'status', 'date')),
    kind text not null,  -- the type, where the as-of day does not change it
    m bigint,  -- of a match
    pending_since timestamptz,  -- of STALE_PENDING: when its oldest pending transaction was created
    primary key (side, number, aspect)
);

-- What a discrepancy was before it changed its type or facts, or was cleared.
create table discrepancy_versions (
    discrepancy_id text not null,
    type text not null,
    severity text not null,
    facts text not null,
    cleared_by text,
    replaced_by text not null references runs
);
create index on discrepancy_versions (discrepancy_id);
