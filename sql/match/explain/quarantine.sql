-- Grain: one stay of a record in quarantine, the oldest first; `cleared_at` is null while it lasts.
-- Purpose: Says when and why a record could not be used.
-- Reads: quarantine, quarantine_versions
-- Makes: none

select file, row_number as row, field, value, reason, currency, amount, quarantined_at as since, cleared_at
from quarantine_versions
where
    app_id = :app_id and side = :side and source = :source
    and coalesce(record_id, content) = :record_id
union all
select file, row_number, field, value, reason, currency, amount, quarantined_at, null
from quarantine
where
    app_id = :app_id and side = :side and source = :source
    and coalesce(record_id, content) = :record_id
order by since, cleared_at nulls last, file, row
