-- Grain: one row: how many rows of each table went.
-- Purpose: Removes states that were replaced before `before` and that nothing can need again: neither matching, which
-- has seen what replaced them, nor the withdrawal of an import, which is refused for imports from before `before`.
-- Reads: entries, entry_versions, imports, loads, runs
-- Makes: entry_versions, pairing_versions, prunings, quarantine_versions, transaction_versions

with matched as (
    select load_id from loads where matched_by is not null
),

-- Grain: one row an import that can no longer be withdrawn.
standing as (
    select import_id from imports where withdrawn_at is null and imported_at < :before
),

-- Grain: one row a state of an entry, former or present.
state as (
    select number, loaded_in, replaced_in from entry_versions
    union all
    select number, loaded_in, 2147483647 from entries
),

-- Grain: one row an entry with a state that stands for good: a withdrawal returns to no earlier one.
floor as (
    select
        state.number,
        max(state.replaced_in) as replaced_in
    from state
    inner join loads on loads.load_id = state.loaded_in
    inner join standing using (import_id)
    group by state.number
),

transactions_gone as (
    delete from transaction_versions
    where replaced_at < :before and replaced_in in (select load_id from matched)
    returning 1
),

entries_gone as (
    delete from entry_versions as version using floor
    where
        version.number = floor.number and version.replaced_in < floor.replaced_in
        and version.replaced_at < :before and version.replaced_in in (select load_id from matched)
    returning 1
),

quarantine_gone as (
    delete from quarantine_versions
    where
        cleared_at < :before
        and not exists (
            select from imports
            where imports.import_id = quarantine_versions.released_by and imports.imported_at >= :before
        )
    returning 1
),

pairings_gone as (
    delete from pairing_versions using runs
    where runs.number = pairing_versions.undone_by and runs.started_at < :before
    returning 1
)

insert into prunings (before_at, transaction_versions, entry_versions, quarantine_versions, pairing_versions)
select
    :before,
    (select count(*) from transactions_gone),
    (select count(*) from entries_gone),
    (select count(*) from quarantine_gone),
    (select count(*) from pairings_gone)
returning transaction_versions, entry_versions, quarantine_versions, pairing_versions
