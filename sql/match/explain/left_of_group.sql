-- Grain: one row a key and currency of which several records are free.
-- Purpose: What reference_split is about to add up of the record's own references and of the entries that name one
-- transaction.
-- Reads: free_txn, free_unit, pass, unit_key
-- Makes: left_of_group

insert into left_of_group
with side as (
    select 'the reference ' || ref_key as key, currency, amount, 'kspay' as side
    from free_txn
    where family not in ('failed', 'cancelled') and ref_key is not null
    union all
    select 'the reference ' || unit_key.key, unit.currency, unit.amount, 'ledger'
    from free_unit as unit
    inner join unit_key using (entry_rank)
    where unit.family <> 'cancelled' and unit_key.kind = 'reference'
    union all
    select 'the name ' || transaction_id, currency, amount, 'kspay'
    from free_txn
    where family not in ('failed', 'cancelled')
    union all
    select 'the name ' || unit_key.key, unit.currency, unit.amount, 'ledger'
    from free_unit as unit
    inner join unit_key using (entry_rank)
    where unit.family <> 'cancelled' and unit_key.kind = 'transaction_id'
)

select
    (select phase from pass),
    key,
    currency,
    count(*) filter (where side = 'kspay'),
    sum(amount) filter (where side = 'kspay'),
    count(*) filter (where side = 'ledger'),
    sum(amount) filter (where side = 'ledger')
from side
group by key, currency
having
    count(distinct side) = 2 and count(*) > 2
