-- Grain: one row a `reconcile prune`.
-- Purpose: Which old states were removed. An import from before the newest `before` cannot be withdrawn: what its
-- entries said before it may be gone.
-- Reads: none
-- Makes: prunings

-- Grain: one row a `reconcile prune`.
create table prunings (
    before timestamptz not null,  -- what was replaced before it went
    pruned_at timestamptz not null default clock_timestamp(),
    transaction_versions bigint not null,  -- how many rows of each table went
    entry_versions bigint not null,
    quarantine_versions bigint not null,
    pairing_versions bigint not null
);
