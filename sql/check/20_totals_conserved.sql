-- Must return no rows: a side and currency whose outcomes do not add up to what the database holds.
with held as (
    select 'kspay' as side, currency, count(*) as records, sum(amount) as amount
    from transactions
    inner join policy on transactions.app_id = any(policy.app_ids)
    where (transactions.app_id, transaction_id) not in (
        select app_id, record_id from quarantine where side = 'kspay' and record_id is not null
    )
    group by currency
    union all
    select 'ledger', currency, count(*), sum(amount)
    from entries
    inner join policy on entries.app_id = any(policy.app_ids)
    where (entries.app_id, source, ledger_id) not in (
        select app_id, source, record_id from quarantine where side = 'ledger' and record_id is not null
    )
    group by currency
),

counted as (
    select side, currency, count(*) as records, sum(amount) as amount
    from outcome
    where side <> 'unusable'
    group by side, currency
)

select
    coalesce(held.side, counted.side) as side,
    coalesce(held.currency, counted.currency) as record,
    format(
        '%s records of %s in the outcomes, %s of %s in the database',
        coalesce(counted.records, 0), coalesce(counted.amount, 0), coalesce(held.records, 0), coalesce(held.amount, 0)
    ) as found
from held
full join counted using (side, currency)
where (held.records, held.amount) is distinct from (counted.records, counted.amount)
order by 1, 2
