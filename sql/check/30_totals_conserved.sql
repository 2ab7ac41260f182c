-- Must return no rows: a scope, side and currency whose outcomes do not add up to the stored amounts of the
-- same records.
with held as (
    select scoped.scope, 'kspay' as side, transactions.currency, count(*) as records, sum(transactions.amount) as amount
    from scoped
    inner join transactions on transactions.number = scoped.number
    where scoped.side = 'kspay'
    group by scoped.scope, transactions.currency
    union all
    select scoped.scope, 'ledger', entries.currency, count(*), sum(entries.amount)
    from scoped
    inner join entries on entries.number = scoped.number
    where scoped.side = 'ledger'
    group by scoped.scope, entries.currency
),

summed as (
    select scope, side, currency, sum(records) as records, sum(amount) as amount
    from summary
    where outcome <> 'quarantined'
    group by scope, side, currency
)

select
    coalesce(held.side, summed.side) as side,
    coalesce(held.scope, summed.scope) || ' ' || coalesce(held.currency, summed.currency) as record,
    format(
        '%s records of %s in the summary, %s of %s in the database',
        coalesce(summed.records, 0), coalesce(summed.amount, 0), coalesce(held.records, 0), coalesce(held.amount, 0)
    ) as found
from held
full join summed using (scope, side, currency)
where (held.records, held.amount) is distinct from (summed.records, summed.amount)
order by 1, 2
