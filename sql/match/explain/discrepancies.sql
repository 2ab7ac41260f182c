-- Grain: one version of a discrepancy that stands at one of some records; the oldest first, the last row is what it is
-- now (`replaced_by` null).
-- Purpose: Shows what was wrong with a record, and when it changed.
-- Reads: discrepancies, discrepancy_versions, runs
-- Makes: none

with chosen as (
    select *
    from discrepancies
    where
        app_id = :app_id
        and (side || '/' || source || '/' || record_id) = any(:keys)
),

version as (
    select
        discrepancy_versions.discrepancy_id, discrepancy_versions.type, discrepancy_versions.severity,
        discrepancy_versions.facts, discrepancy_versions.cleared_by, replaced_by, runs.number as replaced_number
    from discrepancy_versions
    inner join runs on runs.run_id = replaced_by
    where app_id = :app_id and discrepancy_id in (select discrepancy_id from chosen)
    union all
    select discrepancy_id, type, severity, facts, cleared_by, null, null
    from chosen
),

described as (
    select
        chosen.discrepancy_id, chosen.side, chosen.source, chosen.record_id, chosen.aspect, chosen.first_seen,
        version.type, version.severity, version.facts, version.cleared_by, version.replaced_by,
        version.replaced_number
    from version
    inner join chosen using (discrepancy_id)
)

select discrepancy_id, side, source, record_id, aspect, first_seen, type, severity, facts, cleared_by, replaced_by
from described
order by aspect, discrepancy_id, replaced_number nulls last
