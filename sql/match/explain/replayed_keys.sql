-- Grain: one key that a transaction and an entry (or a booking) of the group share.
-- Purpose: Says what two records have in common.
-- Reads: txn, unit_key
-- Makes: none

select txn.transaction_rank, unit_key.entry_rank, 'transaction id' as kind, unit_key.key
from txn
inner join unit_key on unit_key.kind = 'transaction_id' and unit_key.key = txn.transaction_id
union
select txn.transaction_rank, unit_key.entry_rank, 'reference', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'reference' and unit_key.key = txn.ref_key
union
select txn.transaction_rank, unit_key.entry_rank, 'provider order id', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'provider_order_id' and unit_key.key = txn.order_key
union
select txn.transaction_rank, unit_key.entry_rank, 'provider transaction id', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'provider_txn_id' and unit_key.key = txn.txn_key
union
select txn.transaction_rank, unit_key.entry_rank, 'normalised reference', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'comparable' and unit_key.key = txn.comparable_key
order by transaction_rank, entry_rank, kind, key
