-- Grain: one row a pair of a transaction and a unit that this rule allows.
-- Purpose: The entry names the transaction; same currency, and amounts equal or within the tolerance, with or
-- without the expected fee.
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
where
    free_unit.currency = free_txn.currency
    and amount_apart(free_txn.amount, free_txn.fee, free_unit.amount)
    <= tolerance_of(free_txn.tolerance_fixed, free_txn.tolerance_percent, free_txn.amount);
