-- Grain: one row a decision that was exported in a month for a source, in the order of the exports.
-- Purpose: Writes the journals of a month again.
-- Reads: journal_exports
-- Makes: none

select
    journal,
    decision_id,
    lines
from journal_exports
where month = :month and source = :source
order by length(journal), journal, decision_id
