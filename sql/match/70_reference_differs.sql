-- The entry names the transaction or has its reference, and the amount or the currency differs. What
-- agrees was taken by the passes before, so all that is still free may pair.

create or replace temp view possible_pair as
select
    free_txn.t,
    free_unit.e
from free_txn
inner join free_unit on free_unit.app_id = free_txn.app_id and free_unit.tx_key = free_txn.transaction_id
union
select
    free_txn.t,
    free_unit.e
from free_txn
inner join free_unit on free_unit.app_id = free_txn.app_id and free_unit.ref_key = free_txn.ref_key;
