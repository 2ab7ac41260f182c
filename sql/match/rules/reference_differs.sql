-- Grain: `possible_split`: one row a key and currency; `possible_pair`: one row a pair of a transaction and a unit.
-- Purpose: The entry names the transaction or has its reference, and the amount or the currency differs. What agrees
-- was taken by the passes before, so all that is still free may pair. Before that the parts of one payment, or the
-- payments of one entry, of which the sum is a little off: one record is left on one side and several on the other
-- side, and their sum misses it by at most 5 % and by less than any of them alone does. Else the nearest part would
-- pair with it, and the others would be missing.
-- Reads: free_txn, free_unit, split_txn, split_txn_sum, split_unit, split_unit_sum, unit_key
-- Makes: possible_pair, possible_split

create or replace temp view possible_split as
with near as (
    select
        step,
        app_id,
        key,
        currency,
        case when txns.records = 1 then 1 else 2 end as way,
        case when txns.records = 1 then txns.first_rank else units.first_rank end as one,
        case when txns.records = 1 then txns.amount else units.amount end as amount,
        case when txns.records = 1 then txns.fee end as fee,
        amount_apart(txns.amount, txns.fee, units.amount) as missed
    from split_txn_sum as txns
    inner join split_unit_sum as units using (step, app_id, key, currency)
    where
        least(txns.records, units.records) = 1 and greatest(txns.records, units.records) > 1
        and amount_apart(txns.amount, txns.fee, units.amount)
        <= 0.05 * abs(case when txns.records = 1 then txns.amount else units.amount end)
),

part as (
    select step, app_id, key, currency, 1 as way, amount as part_amount, null::numeric as part_fee
    from split_unit
    union all
    select step, app_id, key, currency, 2, amount, fee
    from split_txn
)

select
    step,
    app_id,
    key,
    currency,
    way,
    near.one
from near
inner join part using (step, app_id, key, currency, way)
group by step, app_id, key, currency, way, near.one, near.amount, near.fee, near.missed
having
    near.missed < min(
        case
            when way = 1 then amount_apart(near.amount, near.fee, part.part_amount)
            else amount_apart(part.part_amount, part.part_fee, near.amount)
        end
    );

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
