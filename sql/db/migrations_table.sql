-- Grain: one row a file of sql/migrations that was applied.
-- Purpose: Lets each migration be applied once, and notices one that was edited afterwards.
-- Reads: none
-- Makes: migrations

create table if not exists migrations (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
