-- Grain: one pair that the record stands in now.
select t as transaction_no, e as entry_no, rule
from pairings
where (:side = 'kspay' and t = :number) or (:side = 'ledger' and e = :number)
