-- Grain: one row an item that a month's closing run no longer has open because of a decision, or whose exported
-- decision was replaced by any other.
-- Purpose: What of it was decided in this month: the movement is in one of its runs (`news`), or the decision replaced
-- another (after the first `opened`) while the item was not open. A night of this month that came before the run with
-- which the month begins (`before` leads to it) has movements that are in that run too: these are the month before's.
-- `earlier` is its newest export.
-- Reads: decisions_that_count, journal_exports, movements
-- Makes: none

with newest as (
    select distinct on (discrepancy_id) *
    from movements
    where app_id = :app_id and run = any(cast(:runs as integer[]))
    order by discrepancy_id asc, run desc
),

-- Decided already when the month began.
begins_decided as (
    select discrepancy_id
    from (
        select distinct on (discrepancy_id)
            discrepancy_id,
            kind
        from movements
        where app_id = :app_id and run = any(cast(:before as integer[]))
        order by discrepancy_id asc, run desc
    ) as at_opening
    where kind = 'resolved'
),

decided as (
    select newest.kind, newest.run, of_item.*
    from newest
    inner join lateral (
        select *
        from decisions_that_count as counted
        where
            counted.discrepancy_id = newest.discrepancy_id
            and counted.decision_id <= :head
        order by decision_id desc
        limit 1
    ) as of_item on true
),

unbooked as (
    select
        decided.discrepancy_id,
        decided.first_id as decision_id,
        decided.decision,
        decided.type,
        decided.deciders as by_name,
        decided.decided_at,
        earlier.journal as earlier_journal,
        earlier.source as earlier_source,
        earlier.lines as earlier_lines
    from decided
    left join lateral (
        select
            journal,
            source,
            lines
        from journal_exports
        where journal_exports.discrepancy_id = decided.discrepancy_id
        order by journal_exports.exported_at desc, journal_exports.decision_id desc
        limit 1
    ) as earlier on true
    where
        ((decided.kind = 'resolved' and decided.decision in ('accept', 'write_off')) or earlier.journal is not null)
        and (
            (
                decided.run = any(cast(:news as integer[]))
                and decided.discrepancy_id not in (select discrepancy_id from begins_decided)
            )
            or (
                -- A proposal counts from its confirmation on.
                select min(counted.decision_id)
                from decisions_that_count as counted
                where counted.discrepancy_id = decided.discrepancy_id and counted.first_id = decided.first_id
            ) > :opened
        )
        and decided.first_id not in (select decision_id from journal_exports)
)

select *
from unbooked
order by decision_id
