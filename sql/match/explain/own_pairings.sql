-- Grain: one pair that the record stands in now.
-- Purpose: Is compared with what the replay ends with.
-- Reads: pairings
-- Makes: none

select transaction_no, entry_no, rule
from pairings
where (:side = 'kspay' and transaction_no = :number) or (:side = 'ledger' and entry_no = :number)
