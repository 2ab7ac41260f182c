-- Grain: one row a key and currency of which several records are free.
-- Purpose: What the running pass is about to add up of the record's own references and of the entries that name one
-- transaction. `missed` is how far apart the two sums are, `nearest` how far the nearest part alone is from the one
-- record of the other side.
-- Reads: free_txn, free_unit, pass, unit_key
-- Makes: left_of_group

insert into left_of_group
with side as (
    select 'the reference ' || ref_key as key, currency, amount, fee, 'kspay' as side
    from free_txn
    where family not in ('failed', 'cancelled') and ref_key is not null
    union all
    select 'the reference ' || unit_key.key, unit.currency, unit.amount, null, 'ledger'
    from free_unit as unit
    inner join unit_key using (entry_rank)
    where unit.family <> 'cancelled' and unit_key.kind = 'reference'
    union all
    select 'the name ' || transaction_id, currency, amount, fee, 'kspay'
    from free_txn
    where family not in ('failed', 'cancelled')
    union all
    select 'the name ' || unit_key.key, unit.currency, unit.amount, null, 'ledger'
    from free_unit as unit
    inner join unit_key using (entry_rank)
    where unit.family <> 'cancelled' and unit_key.kind = 'transaction_id'
),

summed as (
    select
        key,
        currency,
        count(*) filter (where side = 'kspay') as transactions,
        sum(amount) filter (where side = 'kspay') as kspay_amount,
        sum(fee) as fee,
        count(*) filter (where side = 'ledger') as entries,
        sum(amount) filter (where side = 'ledger') as ledger_amount
    from side
    group by key, currency
    having count(distinct side) = 2 and count(*) > 2
),

measured as (
    select
        pass.phase,
        pass.rule,
        summed.key,
        summed.currency,
        summed.transactions,
        summed.kspay_amount,
        summed.entries,
        summed.ledger_amount,
        amount_apart(kspay_amount, fee, ledger_amount) as missed,
        (
            select
                min(
                    case
                        when transactions = 1 then amount_apart(kspay_amount, summed.fee, part.amount)
                        else amount_apart(part.amount, part.fee, ledger_amount)
                    end
                )
            from side as part
            where
                part.key = summed.key and part.currency = summed.currency
                and part.side = case when transactions = 1 then 'ledger' else 'kspay' end
                and 1 in (transactions, entries)
        ) as nearest
    from summed
    cross join pass
)

select *
from measured
