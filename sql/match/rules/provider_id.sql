-- Grain: one row a pair of a transaction and a unit that this rule allows.
-- Purpose: The entry has the transaction's order id or transaction id of the payment provider, whatever the amounts.
-- Reads: free_txn, free_unit, unit_key
-- Makes: possible_pair

create or replace temp view possible_pair as
select
    free_txn.transaction_rank,
    free_unit.entry_rank
from free_txn
inner join unit_key
    on
        unit_key.app_id = free_txn.app_id and unit_key.kind = 'provider_order_id'
        and unit_key.key = free_txn.order_key
inner join free_unit on free_unit.entry_rank = unit_key.entry_rank
union
select
    free_txn.transaction_rank,
    free_unit.entry_rank
from free_txn
inner join unit_key
    on
        unit_key.app_id = free_txn.app_id and unit_key.kind = 'provider_txn_id'
        and unit_key.key = free_txn.txn_key
inner join free_unit on free_unit.entry_rank = unit_key.entry_rank;
