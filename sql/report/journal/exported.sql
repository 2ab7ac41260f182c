-- Grain: one row a decision that was exported in a month for a source, in the order of the exports.
-- Purpose: Writes the journals of a month again.
-- Reads: decisions, journal_exports
-- Makes: none

select
    journal_exports.journal,
    journal_exports.decision_id,
    journal_exports.discrepancy_id,
    decisions.type,
    journal_exports.lines
from journal_exports
inner join decisions using (decision_id)
where journal_exports.month = :month and journal_exports.source = :source
order by length(journal_exports.journal), journal_exports.journal, journal_exports.decision_id
