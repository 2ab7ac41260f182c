-- Grain: one row an entry of these that a journal states again.
-- Purpose: How the newest journal says that it stands, but for the decisions on one discrepancy.
-- Reads: journal_exports
-- Makes: none

select distinct on (line ->> 'ledger_id')
    line ->> 'ledger_id' as ledger_id,
    journal_exports.journal,
    line ->> 'currency' as currency,
    cast(line ->> 'amount' as numeric) as amount,
    line ->> 'status' as status
from journal_exports
cross join lateral jsonb_array_elements(journal_exports.lines) as line
where
    journal_exports.source = :source
    and journal_exports.discrepancy_id <> :discrepancy_id
    and line ->> 'app_id' = :app_id
    and line ->> 'ledger_id' = any(cast(:ids as text[]))
    and line ->> 'amount' <> ''
order by line ->> 'ledger_id' asc, journal_exports.exported_at desc
