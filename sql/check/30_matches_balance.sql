-- Must return no rows: a currency in which what both sides of the matches hold, taken from the records
-- themselves, differs by another sum than the variances of the matches say.
with sides as (
    select match.kspay_currency as currency, sum(txn.amount) as kspay, 0::numeric as ledger
    from match
    inner join taken_txn using (m)
    inner join txn using (t)
    where match.same_currency
    group by match.kspay_currency
    union all
    select match.ledger_currency, 0, sum(unit.amount)
    from match
    inner join taken_unit using (m)
    inner join unit using (e)
    where match.same_currency
    group by match.ledger_currency
),

summed as (
    select currency, sum(kspay) - sum(ledger) as difference
    from sides
    group by currency
),

said as (
    select kspay_currency as currency, sum(kspay_amount - ledger_amount) as difference
    from match
    where same_currency
    group by kspay_currency
)

select
    'kspay' as side,
    currency as record,
    format('sides differ by %s, variances add up to %s', summed.difference, said.difference) as found
from summed
full join said using (currency)
where summed.difference is distinct from said.difference
order by 2
