-- Grain: one key that a transaction and an entry (or a booking) of the group share.
select txn.t as of_txn, unit_key.e as of_unit, 'transaction id' as kind, unit_key.key
from txn
inner join unit_key on unit_key.kind = 'transaction_id' and unit_key.key = txn.transaction_id
union
select txn.t, unit_key.e, 'reference', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'reference' and unit_key.key = txn.ref_key
union
select txn.t, unit_key.e, 'provider order id', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'provider_order_id' and unit_key.key = txn.order_key
union
select txn.t, unit_key.e, 'provider transaction id', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'provider_txn_id' and unit_key.key = txn.txn_key
union
select txn.t, unit_key.e, 'normalised reference', unit_key.key
from txn
inner join unit_key on unit_key.kind = 'comparable' and unit_key.key = txn.comparable_key
order by of_txn, of_unit, kind, key
