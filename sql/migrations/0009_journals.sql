-- What was exported to be booked: part of the audit trail, so that each decision is exported once.

-- Grain: one row a decision that was exported.
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
