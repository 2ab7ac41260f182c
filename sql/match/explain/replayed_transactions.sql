-- Grain: one transaction of the group, and what took it.
-- Purpose: The transactions that the replay begins with.
-- Reads: taken_txn, txn
-- Makes: none

select
    txn.transaction_rank as rank,
    txn.number,
    txn.transaction_id as name,
    txn.family,
    txn.currency,
    txn.amount,
    txn.business_on,
    txn.ref_key,
    txn.comparable_key, txn.order_key, txn.txn_key, txn.reference, taken_txn.match_rank, taken_txn.rule,
    case when money_moved(txn.family) then 1 else 2 end as phase
from txn
left join taken_txn using (transaction_rank)
order by txn.transaction_rank
