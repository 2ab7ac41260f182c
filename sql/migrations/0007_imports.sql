-- Which import said what, so that a wrong one can be withdrawn and leaves nothing behind. An entry has states
-- one after another: what an import said of it, or that it is withdrawn; older ones are in entry_versions.
-- A state stands on the load that brought it and on the later ones that said the same.

alter table loads
add column import_id bigint references imports,  -- of the ledger; null where an import was withdrawn
add column confirmed int8multirange not null default '{}';  -- entries.number that it gave as they already were

alter table imports
add column snapshot boolean not null default false,  -- the file is the whole ledger of the days that it spans
add column withdrawn integer not null default 0,  -- entries that a snapshot lacked
add column allowed text[] not null default '{}',  -- expectations that would have blocked it
add column withdrawn_at timestamptz;  -- when the import itself was undone; null while it counts

alter table entries
add column loaded_in integer not null default 0,  -- the load that brought the present state; 0: before this migration
add column withdrawn boolean not null default false;  -- kept, and no longer matched

alter table entry_versions
add column loaded_in integer not null default 0,
add column withdrawn boolean not null default false;

alter table quarantine
add column imports bigint[] not null default '{}';  -- of the ledger: all that held the record as it is here

alter table quarantine_versions
add column imports bigint[] not null default '{}',
add column released_by bigint;  -- the import, if any
