-- The tables that outlive a run. Temporary tables of a stage are made by the files of its folder.
--
-- Conventions: `number` is a short number that a table's rows get when they are inserted. Other tables refer to
-- records and runs by it; it is never shown to users. Amounts are exact numerics in the currency's major unit.
-- `_at` is an instant, `_on` a day. `…_versions` keeps what a row said before it changed.
-- Families and business dates are not stored: they depend on settings, and matching works them out.


-- Functions

-- A word of `length` capital letters, always the same for the same content. Letters only, so that no
-- spreadsheet takes it for a number, a date or a formula. `stable`, as `convert_to` is: only then does
-- Postgres put the body into the statement instead of calling it, which takes a third of the time.
create function letters(content jsonb, length integer) returns text
language sql stable parallel safe
return translate(
    left(encode(substr(sha256(convert_to(content::text, 'UTF8')), 1, (length + 1) / 2), 'hex'), length),
    '0123456789abcdef',
    'ABCDEFGHJKLMNPQR'
);

-- The business date of an instant: its calendar day in the business time zone. Also put into the statement.
create function business_date(at timestamptz, zone text) returns date
language sql immutable parallel safe
return (at at time zone zone)::date;

-- How far the two amounts of a match may be apart: the tolerance of the KS Pay amount. In major units.
create function tolerance_of(fixed numeric, percent numeric, amount numeric) returns numeric
language sql immutable parallel safe
return fixed + percent * 0.01 * amount;

-- How far the two amounts of a match are apart: the ledger may book the amount or, where a fee is expected, the amount
-- less that fee. Counts from the nearer of both; `fee` is null where none is expected, which `least` passes over.
create function amount_apart(kspay numeric, fee numeric, ledger numeric) returns numeric
language sql immutable parallel safe
return least(abs(kspay - ledger), abs(kspay - fee - ledger));

-- The fee that the ledger has taken off: the expected one, where its amount agrees with the amount less that fee, and
-- is nearer to it than to the whole amount. Null where it books the whole amount, or another one.
create function fee_taken(kspay numeric, fee numeric, ledger numeric, tolerance numeric) returns numeric
language sql immutable parallel safe
return case
    when abs(kspay - fee - ledger) <= tolerance and abs(kspay - fee - ledger) < abs(kspay - ledger) then fee
end;

-- The fee that the gateway is expected to keep of a payment: rounded half up to the currency's decimals, tax and all at
-- once; never more than the amount, and null where it is nothing. `fees` holds a list for each payment method and
-- currency (`card INR`), and one for all other methods (` INR`), the latest first day first. In PL/pgSQL, and with the
-- fees as a value: so other processes of the server may work it out too, which may not read temporary tables.
create function expected_fee(fees jsonb, payment_method text, currency text, amount numeric, business_on date)
returns numeric
language plpgsql immutable parallel safe
as $$
declare
    rates jsonb;
    rate jsonb;
begin
    foreach rates in array array[
        fees -> (lower(btrim(payment_method) collate "C") || ' ' || currency),
        fees -> (' ' || currency)
    ]
    loop
        for place in 0 .. coalesce(jsonb_array_length(rates), 0) - 1 loop
            rate := rates -> place;
            if cast(rate ->> 'from' as date) <= business_on then
                return nullif(
                    least(
                        round(
                            amount * cast(rate ->> 'share' as numeric) + cast(rate ->> 'fixed' as numeric),
                            cast(rate ->> 'digits' as integer)
                        ),
                        amount
                    ),
                    0
                );
            end if;
        end loop;
    end loop;
    return null;
end
$$;

-- How an entry is named among entries of several sources.
create function entry_label(source text, id text) returns text
language sql immutable parallel safe
return source || ':' || id;

-- Whether money moved by a record of this family, or nobody knows.
create function money_moved(family text) returns boolean
language sql immutable parallel safe
return family in ('paid', 'refunded', 'unknown');

-- Whether a word of family refunded says that only a part was given back. Words count whatever their case, blanks,
-- hyphens and underscores, in the letters of every database: in one of Turkish I would be no i.
create function refunded_in_part(status text) returns boolean
language sql immutable parallel safe
return starts_with(translate(lower(status collate "C"), E' -_\t\u00a0', ''), 'partial');

-- Whether a transaction of one family and an entry of another tell the same.
create function families_agree(kspay text, ledger text) returns boolean
language sql immutable parallel safe
return (kspay, ledger) in (
    ('paid', 'paid'),
    ('refunded', 'refunded'),
    ('refunded', 'cancelled'),
    ('pending', 'unpaid'),
    ('pending', 'cancelled'),
    ('failed', 'unpaid'),
    ('failed', 'cancelled'),
    ('cancelled', 'unpaid'),
    ('cancelled', 'cancelled')
);


-- Runs, and what they fetched

-- Grain: one row a `reconcile run` or `reconcile fetch`.
create table runs (
    run_id text primary key,  -- 2026-08-01_2026-08-31_2: the period, and which run of that period
    command text not null check (command in ('run', 'fetch')),
    apps text[] not null,
    period_first date not null,
    period_last date not null,  -- the as-of day
    state text not null default 'running' check (state in ('running', 'finished', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,  -- null while it is running
    folder text,  -- where the report files are, or will be; null for a fetch
    error text,  -- the one line that a failed run ended with
    report jsonb,  -- the run.json of a finished run
    number integer generated always as identity,
    check (period_first <= period_last),
    check ((state = 'running') = (finished_at is null))
);

-- Grain: one row a window of Fetch All Transactions that a run read to its end. Shows that nothing is missing.
create table fetched_windows (
    run_id text not null references runs,
    app_id text not null,
    number integer not null,  -- in the order in which they were read
    window_first date not null,  -- fromDate and toDate of the call
    window_last date not null,
    pages integer not null,  -- answers, empty and repeated ones included
    records integer not null,  -- in all of these answers
    distinct_ids integer not null,
    passes integer not null,  -- how often it was read from the first page on
    first_created_at timestamptz,
    last_created_at timestamptz,
    total integer,  -- how many the server says there are, if it says so; recorded, never relied on
    proof text not null,  -- why nothing can be missing
    primary key (run_id, app_id, number)
);

-- Grain: one row an app. The first UTC day that KS Pay accepts: it refuses days before the app was created.
create table first_days (
    app_id text primary key,
    first_day date not null
);


-- Imports of ledgers, and loads

-- Grain: one row a ledger file (or query) that was imported.
create table imports (
    import_id bigint generated always as identity primary key,
    source text not null,  -- the profile's name, else `default`
    file text not null,
    sha256 text not null,
    imported_at timestamptz not null default clock_timestamp(),
    records integer not null,  -- rows that hold anything
    entries integer not null,  -- distinct usable entries
    repeats integer not null,  -- rows equal to an earlier row of the file
    quarantined integer not null,
    passed_over integer not null default 0,  -- rows that are no records: totals, the header again, further lines
    added integer not null,
    changed integer not null,
    snapshot boolean not null default false,  -- the file is the whole ledger of the days that it spans
    withdrawn integer not null default 0,  -- entries that a snapshot lacked
    allowed text[] not null default '{}',  -- failed expectations that were allowed with --allow
    withdrawn_at timestamptz,  -- when the import itself was withdrawn; null while it counts
    check (records = entries + repeats + quarantined)
);

-- Grain: one row a fetch or import (or its withdrawal) and app. Records refer to the load that changed them.
create table loads (
    load_id integer generated always as identity primary key,
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    records integer not null default 0,  -- that arrived, changed, or went into or out of quarantine
    loaded_at timestamptz not null default clock_timestamp(),
    matched_by text references runs,  -- the run that matched them; null until then
    source text,  -- of the ledger: the profile
    file text,  -- of the ledger: the file's name
    import_id bigint references imports,  -- of the ledger; null where an import was withdrawn
    confirmed int8multirange not null default '{}'  -- entries.number of entries that it held unchanged
);
create index on loads (app_id) where matched_by is null;


-- Records of both sides

-- Grain: one row a transaction of KS Pay, as last fetched.
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
    number bigint generated always as identity,
    comparable text,  -- the reference, normalised; the reference itself where nothing is left of it
    changed_in integer not null default 0,  -- the last load that changed anything that matching uses
    primary key (app_id, transaction_id)
);
create unique index on transactions (number);
create index on transactions (comparable);
create index on transactions (provider_order_id);
create index on transactions (provider_txn_id);
create index on transactions (changed_in);
create index on transactions (created_at);

-- Grain: one row an entry of the ledger, as last imported.
create table entries (
    app_id text not null,
    source text not null,  -- the profile's name, else `default`
    ledger_id text not null,
    reference text,
    currency text not null,
    amount numeric not null,  -- negative: a refund
    status text not null,  -- as written; empty where the ledger has none
    dated_on date,  -- either the day or the instant, as the ledger gives it
    dated_at timestamptz,
    transaction_id text,  -- the transaction that the entry names
    provider_order_id text,
    provider_txn_id text,
    description text,
    number bigint generated always as identity,
    comparable text,  -- the reference, normalised; the reference itself where nothing is left of it
    changed_in integer not null default 0,  -- the last load that changed anything that matching uses
    loaded_in integer not null default 0,  -- the load that gave the present state
    withdrawn boolean not null default false,  -- kept, and no longer matched
    primary key (app_id, source, ledger_id),
    check ((dated_on is null) <> (dated_at is null))
);
create unique index on entries (number);
create index on entries (comparable);
create index on entries (transaction_id) where transaction_id is not null;
create index on entries (provider_order_id) where provider_order_id is not null;
create index on entries (provider_txn_id) where provider_txn_id is not null;
create index on entries (changed_in);
-- The UTC day: at most one day away from the business date, whatever the business time zone.
create index on entries ((coalesce(dated_on, (dated_at at time zone 'UTC')::date)));

-- Grain: one row a state that a transaction had before it changed. The keys that a record had before belong
-- to groups that must be matched again as well.
create table transaction_versions (
    like transactions,
    replaced_at timestamptz not null default clock_timestamp(),
    replaced_in integer not null  -- the load that replaced it
);
create index on transaction_versions (app_id, transaction_id);
create index on transaction_versions (replaced_in);

-- Grain: one row a state that an entry had before it changed. A state is what an import said of the entry, or
-- that it is withdrawn. It rests on the load that gave it (`loaded_in`) and on later loads that confirmed it.
create table entry_versions (
    like entries,
    replaced_at timestamptz not null default clock_timestamp(),
    replaced_in integer not null  -- the load that replaced it
);
create index on entry_versions (app_id, source, ledger_id);
create index on entry_versions (replaced_in);

-- Grain: one row a record that cannot be used until its source corrects it. A record is known by its id, and
-- one without an id by its content. While a record is here, an older state of it is not matched.
create table quarantine (
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    source text not null,  -- `kspay`, or the ledger's profile
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
    fetched_first date,  -- the days asked for when KS Pay last gave it: a later answer that covers these days
    fetched_last date,  --   and lacks the record clears it, if it has no id
    since timestamptz not null default clock_timestamp(),
    imports bigint[] not null default '{}',  -- of the ledger: every import that held the record like this
    amount numeric,  -- where it can be read surely and its currency is known: it is at stake
    typed jsonb,  -- its fields, where they could be typed: the suites can be shown with them
    unique nulls not distinct (app_id, side, source, record_id, content)
);

-- Grain: one row a record that was quarantined and no longer is.
create table quarantine_versions (
    like quarantine,
    cleared_at timestamptz not null default clock_timestamp(),
    released_by bigint  -- the import that released it, if an import did
);


-- Grain: one row a `reconcile prune`. An import from before the newest `before` cannot be withdrawn: what its entries
-- said before it may be gone.
create table prunings (
    before timestamptz not null,  -- what was replaced before it went
    pruned_at timestamptz not null default clock_timestamp(),
    transaction_versions bigint not null,  -- how many rows of each table went
    entry_versions bigint not null,
    quarantine_versions bigint not null,
    pairing_versions bigint not null
);


-- Matching. It remembers its results: only groups with a record that arrived or changed are matched again.

-- Grain: one row an app. The settings that its matches rest on; with other settings all is matched again.
create table matched_policies (
    app_id text primary key,
    policy text not null
);

-- Grain: one row a key that more than 500 records of one side carry. Such a key matches nothing.
create table crowded_keys (
    app_id text not null,
    kind text not null,
    key text not null,
    primary key (app_id, kind, key)
);

-- Grain: one row a pair of a transaction and an entry that match. A match of several records is a star: every
-- record of it stands in a pair with the other side, and every pair holds `match_no` or an entry that pairs with it.
-- A record in several pairs is represented by one of them (`stands_for_…`), so that what is matched can be
-- counted, and joined with the records, without a look at their other pairs.
create table pairings (
    transaction_no bigint not null,  -- transactions.number
    entry_no bigint not null,  -- entries.number
    match_no bigint not null,  -- the match: the number of its transaction with the lowest id
    rule text not null,
    made_by integer not null,  -- runs.number
    stands_for_transaction boolean not null,  -- this pair represents its transaction: the pair with its lowest entry
    stands_for_entry boolean not null  -- this pair represents its entry: the pair with its lowest transaction
);
create index pairings_transaction_no on pairings (transaction_no);
create index pairings_entry_no on pairings (entry_no);
create index pairings_rule on pairings (rule) where rule in ('manual', 'amount_date');
create index pairings_of_several on pairings (match_no) where not (stands_for_transaction and stands_for_entry);

-- Grain: one row a pair that a later run undid.
create table pairing_versions (
    transaction_no bigint not null,
    entry_no bigint not null,
    match_no bigint not null,
    rule text not null,
    made_by integer not null,  -- runs.number
    undone_by integer not null  -- runs.number
);
create index on pairing_versions (transaction_no);
create index on pairing_versions (entry_no);

-- Grain: one row a negative entry that belongs to a positive one. Both together are one booking.
create table bookings (
    entry_no bigint primary key,  -- entries.number of the negative
    lead_no bigint not null  -- entries.number of the positive
);
create index on bookings (lead_no);


-- What is wrong

-- Grain: one row a record (of a match: its lowest transaction) and aspect that is wrong, whatever the day. The
-- period and the as-of day decide later which of it is reported, and under which type.
create table findings (
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    number bigint not null,  -- transactions.number or entries.number
    aspect text not null check (aspect in ('presence', 'amount', 'status', 'date')),
    kind text not null,  -- the type, where the as-of day does not change it
    match_no bigint,  -- the match, if it is about one
    pending_since timestamptz,  -- of STALE_PENDING: when its oldest pending transaction was created
    primary key (side, number, aspect)
);

-- Grain: one row a discrepancy that was ever reported.
create table discrepancies (
    discrepancy_id text primary key,  -- D- and letters, from app, source, record and aspect
    app_id text not null,
    side text not null check (side in ('kspay', 'ledger')),
    source text not null,
    record_id text not null,
    aspect text not null check (aspect in ('presence', 'amount', 'status', 'date', 'validity')),
    type text not null,
    severity text not null check (severity in ('high', 'medium', 'low', 'info')),
    facts text not null,  -- changes when anything changes that a decision would rest on
    first_seen date not null,  -- the earliest as-of day of a run that reported it
    cleared_by text references runs  -- the run that no longer found it; null while it is open
);
create index on discrepancies (app_id) where cleared_by is null;

-- Grain: one row a state that a discrepancy had before its type or facts changed or it was cleared.
create table discrepancy_versions (
    discrepancy_id text not null,
    type text not null,
    severity text not null,
    facts text not null,
    cleared_by text,
    replaced_by text not null references runs
);
create index on discrepancy_versions (discrepancy_id);


-- The audit trail: decisions, closed months and what was exported to be booked. It only grows. The database itself
-- defends it, and each decision and close carries the hash of the one before, so that no later change of any of them
-- goes unnoticed.

-- Grain: one row a decision, note or assignment.
create table decisions (
    decision_id bigint primary key,  -- 1, 2, 3 …: counted by the trigger below, without gaps
    discrepancy_id text not null,
    app_id text not null,
    type text not null,  -- of the discrepancy when it was decided
    facts text not null,  -- of the discrepancy: what the decision rests on
    -- Null: only a note or an assignment.
    decision text check (decision in ('accept', 'write_off', 'ignore', 'match', 'reopen')),
    records jsonb,  -- of a match: all that it joins, [{"side", "source", "record_id", "facts"}, …]
    note text,
    by_name text not null check (by_name ~ '\S'),
    os_user text not null,
    db_user text not null,
    decided_at timestamptz not null,  -- by the database's clock
    file text not null,  -- the base name only
    file_sha256 text not null,
    previous_hash text not null unique,  -- of the decision before; empty in the first. Unique: a chain has no forks
    hash text not null,
    -- Who looks after the discrepancy, and until when. Null: nothing is said of it; empty: nobody, or no day, any more.
    assignee text,
    due text check (due ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2})?$'),
    proposed boolean check (proposed),  -- waits for another person; null: it counts at once
    confirms bigint references decisions,  -- the decision that this one, of another person, repeats
    check ((decision is not distinct from 'match') = (records is not null)),
    check (coalesce(decision, note, assignee, due) is not null),
    check (decision is not null or (proposed is null and confirms is null))
);
create index on decisions (discrepancy_id, decision_id);
create index on decisions (confirms) where confirms is not null;

-- Grain: one row in all. How many decisions there are and the last one's hash, so that a missing last decision
-- is noticed too. The lock of this row makes those who decide at the same time take turns.
create table decision_head (
    only_one boolean primary key default true check (only_one),
    records bigint not null,
    hash text not null
);
insert into decision_head (records, hash) values (0, '');

-- Grain: one row a file of decisions that was taken as a whole, also one that changed nothing. The inbox takes
-- no file twice: a file that a killed run left behind must not override what was decided since.
create table decision_files (
    sha256 text not null,
    file text not null,
    by_name text not null,
    taken_at timestamptz not null default clock_timestamp()
);
create index on decision_files (sha256);

-- Counts, stamps and chains a decision. The hash is the SHA-256 of the decision as a JSON array of texts, so
-- that a program without this function can verify it: `reconcile doctor` does. What not every decision has stands
-- behind, each with its name, and only where it is given: so a later version may add to it, and older hashes stay.
create function chain_decision() returns trigger
language plpgsql
set search_path from current
as $$
begin
    update decision_head set records = records + 1
    returning records, hash into new.decision_id, new.previous_hash;
    new.db_user := session_user;
    new.decided_at := clock_timestamp();
    new.hash := encode(
        sha256(
            convert_to(
                (
                    jsonb_build_array(
                        new.decision_id::text, new.discrepancy_id, new.app_id, new.type, new.facts, new.decision,
                        new.records::text, new.note, new.by_name, new.os_user, new.db_user,
                        to_char(new.decided_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        new.file, new.file_sha256, new.previous_hash
                    )
                    || case when new.assignee is null then '[]' else jsonb_build_array('assignee', new.assignee) end
                    || case when new.due is null then '[]' else jsonb_build_array('due', new.due) end
                    || case when new.proposed is null then '[]' else jsonb_build_array('proposed', 'true') end
                    || case when new.confirms is null then '[]' else jsonb_build_array('confirms', new.confirms::text) end
                )::text,
                'UTF8'
            )
        ),
        'hex'
    );
    update decision_head set hash = new.hash;
    return new;
end
$$;

create function refuse_change() returns trigger
language plpgsql
as $$
begin
    -- A head moves with its chain: only from inside the trigger of that.
    if tg_table_name in ('decision_head', 'close_head') and tg_op = 'UPDATE' and pg_trigger_depth() > 1 then
        return null;
    end if;
    raise exception using
        errcode = 'insufficient_privilege',
        message = tg_op || ' of ' || tg_table_name || ' is refused: the audit trail is only ever added to',
        hint = 'Write another decision, or close the month again; the newest counts.';
end
$$;

create trigger chain before insert on decisions for each row execute function chain_decision();
create trigger defend before update or delete or truncate on decisions
for each statement execute function refuse_change();
create trigger defend before insert or update or delete or truncate on decision_head
for each statement execute function refuse_change();

-- Also in a session that replays changes (session_replication_role), where triggers are off otherwise.
alter table decisions enable always trigger chain;
alter table decisions enable always trigger defend;
alter table decision_head enable always trigger defend;

-- Grain: one row a decision that counts: none that is only proposed. `first_id` is the decision that it repeats, else
-- itself; `deciders` are all who took it so far.
create view decisions_that_count as
select
    decisions.*,
    coalesce(decisions.confirms, decisions.decision_id) as first_id,
    case
        when decisions.confirms is null then decisions.by_name
        else (
            select first_one.by_name from decisions as first_one where first_one.decision_id = decisions.confirms
        ) || ', confirmed by ' || (
            select string_agg(again.by_name, ', ' order by again.decision_id)
            from decisions as again
            where again.confirms = decisions.confirms and again.decision_id <= decisions.decision_id
        )
    end as deciders
from decisions
where decision is not null and proposed is null;

-- Grain: one row a discrepancy that anybody decided, noted or assigned: the newest decision that counts (`reopen`
-- included; null where there is none), the newest note, assignee and due day, which may be of other records.
create view decisions_in_force as
with decided as (
    select distinct on (discrepancy_id) *
    from decisions_that_count
    order by discrepancy_id asc, decision_id desc
),

said as (
    select
        discrepancy_id,
        min(app_id) as app_id,
        (array_agg(note order by decision_id desc) filter (where note is not null))[1] as note,
        (array_agg(assignee order by decision_id desc) filter (where assignee is not null))[1] as assignee,
        (array_agg(due order by decision_id desc) filter (where due is not null))[1] as due
    from decisions
    where coalesce(note, assignee, due) is not null
    group by discrepancy_id
)

select
    discrepancy_id,
    coalesce(decided.app_id, said.app_id) as app_id,
    decided.decision_id,
    decided.type,
    decided.facts,
    decided.decision,
    decided.records,
    said.note,
    decided.deciders as by_name,
    decided.decided_at,
    nullif(said.assignee, '') as assignee,
    nullif(said.due, '')::date as due
from decided
full join said using (discrepancy_id);

-- Grain: one row a discrepancy whose newest decision is proposed: it waits for another person.
create view decisions_proposed as
select newest.*
from (
    select distinct on (discrepancy_id) *
    from decisions
    where decision is not null
    order by discrepancy_id asc, decision_id desc
) as newest
where newest.proposed;

-- Grain: one row a version of a closed month. A version is never changed; the next one is added.
create table closes (
    close_id bigint primary key,  -- 1, 2, 3 …: counted by the trigger below, without gaps
    month text not null check (month ~ '^[0-9]{4}-[0-9]{2}$'),
    version integer not null check (version > 0),
    content jsonb not null,  -- close.json: the lines, the files with their SHA-256, and what it all rests on
    by_name text not null check (by_name ~ '\S'),
    os_user text not null,
    db_user text not null,
    closed_at timestamptz not null,  -- by the database's clock: when the transaction began
    previous_hash text not null unique,  -- of the close before, of whatever month; empty in the first
    hash text not null,
    unique (month, version)
);

-- Grain: one row in all. How many closes there are and the last one's hash, so that a missing last one is noticed.
create table close_head (
    only_one boolean primary key default true check (only_one),
    records bigint not null,
    hash text not null
);
insert into close_head (records, hash) values (0, '');

-- Grain: one row a file of a closed version. A backup of the database has them all.
create table closed_files (
    month text not null,
    version integer not null,
    name text not null,
    bytes bytea not null,
    primary key (month, version, name),
    foreign key (month, version) references closes (month, version)
);

-- Counts, stamps and chains a close, as a decision.
create function chain_close() returns trigger
language plpgsql
set search_path from current
as $$
begin
    update close_head set records = records + 1
    returning records, hash into new.close_id, new.previous_hash;
    new.db_user := session_user;
    new.closed_at := now();
    new.hash := encode(
        sha256(
            convert_to(
                jsonb_build_array(
                    new.close_id::text, new.month, new.version::text, new.content::text, new.by_name, new.os_user,
                    new.db_user, to_char(new.closed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    new.previous_hash
                )::text,
                'UTF8'
            )
        ),
        'hex'
    );
    update close_head set hash = new.hash;
    return new;
end
$$;

create trigger chain before insert on closes for each row execute function chain_close();
create trigger defend before update or delete or truncate on closes
for each statement execute function refuse_change();
create trigger defend before insert or update or delete or truncate on close_head
for each statement execute function refuse_change();
create trigger defend before update or delete or truncate on closed_files
for each statement execute function refuse_change();

alter table closes enable always trigger chain;
alter table closes enable always trigger defend;
alter table close_head enable always trigger defend;
alter table closed_files enable always trigger defend;

-- Grain: one row a decision that was exported to be booked, so that each is exported once.
create table journal_exports (
    decision_id bigint primary key references decisions,
    journal text not null,  -- 2026-08-1: the month, and which export of that month
    month text not null,
    source text not null,  -- the ledger profile that it books into
    discrepancy_id text not null,
    lines jsonb not null,  -- [{column: cell}, …], as the file has them
    os_user text not null,
    exported_at timestamptz not null default clock_timestamp()
);
create index on journal_exports (month, source);

create trigger defend before update or delete or truncate on journal_exports
for each statement execute function refuse_change();
alter table journal_exports enable always trigger defend;


-- What a month's close statement adds up: how the open items of a run differ from those of its base

-- Grain: one row a finished run and app. `base` is the run that its open items are compared with: of the runs
-- as of the same day or an earlier one, the newest of the latest day. So a close that is run again days later
-- follows the close before it, and not the nights since.
create table run_bases (
    run integer not null,  -- runs.number
    app_id text not null,
    as_of date not null,
    base integer,  -- runs.number; null in the first
    primary key (run, app_id)
);
create index on run_bases (app_id, as_of, run);

-- Grain: one row a run and discrepancy that is open after the run and was not open after its base, is no longer
-- open, or changed its facts.
create table movements (
    run integer not null,  -- runs.number
    discrepancy_id text not null,
    app_id text not null,
    kind text not null check (kind in ('new', 'reopened', 'changed', 'cleared', 'resolved')),
    type text not null,
    facts text not null,
    currency text,  -- of what is open after the run, like `amount`: null when no longer open; empty where a
    amount numeric,  --   record that cannot be used has none
    primary key (run, discrepancy_id),
    check ((currency is null) = (amount is null)),
    check ((currency is null) = (kind in ('cleared', 'resolved')))
);
create index on movements (discrepancy_id, run);  -- a sheet of decisions asks for the newest of each of its rows


-- What reporting tools read. These columns stay as they are; those of the tables may change.

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
