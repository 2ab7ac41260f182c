-- Grain: one row a pair of a transaction and a unit that this rule allows.
-- Purpose: References that are written differently and are equal after normalising: the only transaction and the only
-- entry of that key that are still free.
-- Reads: free_txn, free_unit, unit_key
-- Makes: possible_pair

create or replace temp view possible_pair as
with only_txn as (
    select app_id, comparable_key as key, min(transaction_rank) as transaction_rank, min(ref_key) as reference
    from free_txn
    where comparable_key is not null
    group by app_id, comparable_key
    having count(*) = 1
),

only_unit as (
    select unit_key.app_id, key, min(free_unit.entry_rank) as entry_rank
    from free_unit
    inner join unit_key using (entry_rank)
    where kind = 'comparable'
    group by unit_key.app_id, key
    having count(*) = 1
)

select distinct
    only_txn.transaction_rank,
    only_unit.entry_rank
from only_txn
inner join only_unit using (app_id, key)
where
    not exists (
        select from unit_key
        where
            unit_key.entry_rank = only_unit.entry_rank
            and unit_key.kind = 'reference'
            and unit_key.key = only_txn.reference
    );
