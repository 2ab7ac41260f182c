-- What matching found: rewritten only where it changed, so that the same night twice changes no row.

create table matches (
    match_id text primary key,  -- M- and letters, from its record ids
    app_id text not null,
    rule text not null
);

-- The primary key is a law: no record is ever in two matches.
create table match_records (
    app_id text not null,
    source text not null,  -- kspay for transactions, else the ledger's source
    side text not null check (side in ('kspay', 'ledger')),
    record_id text not null,
    match_id text not null references matches on delete cascade,
    primary key (app_id, side, source, record_id)
);
create index on match_records (match_id);

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
    cleared_by text references runs  -- the run that found it gone; null while it is open
);
create index on discrepancies (app_id) where cleared_by is null;

-- A word of capital letters for any content: no spreadsheet takes it for a number, a date or a formula.
create function letters(content jsonb, length integer) returns text
language sql immutable parallel safe
return left(
    translate(encode(sha256(convert_to(content::text, 'UTF8')), 'hex'), '0123456789abcdef', 'ABCDEFGHJKLMNPQR'),
    length
);
