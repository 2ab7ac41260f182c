-- Grain: one row a pair of a transaction and a unit that this rule allows.
-- Purpose: The entry names the transaction or has its reference, and the amount or the currency differs. What agrees
-- was taken by the passes before, so all that is still free may pair.
-- Reads: free_txn, free_unit, unit_key
-- Makes: possible_pair

create or replace temp view possible_pair as
select
    free_txn.transaction_rank,
    free_unit.entry_rank
from free_txn
inner join unit_key
    on
        unit_key.app_id = free_txn.app_id and unit_key.kind = 'transaction_id'
        and unit_key.key = free_txn.transaction_id
inner join free_unit on free_unit.entry_rank = unit_key.entry_rank
union
select
    free_txn.transaction_rank,
    free_unit.entry_rank
from free_txn
inner join unit_key
    on unit_key.app_id = free_txn.app_id and unit_key.kind = 'reference' and unit_key.key = free_txn.ref_key
inner join free_unit on free_unit.entry_rank = unit_key.entry_rank;
