-- Grain: one pair that the record stands in now.
select transaction_no, entry_no, rule
from pairings
where (:side = 'kspay' and transaction_no = :number) or (:side = 'ledger' and entry_no = :number)
