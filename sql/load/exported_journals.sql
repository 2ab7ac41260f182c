-- Grain: one row a decision that was exported in one of these journals.
-- Purpose: What a journal that is read back as a ledger must still say.
-- Reads: journal_exports
-- Makes: none

select journal, decision_id, source, lines
from journal_exports
where journal = any(:journals)
order by decision_id
