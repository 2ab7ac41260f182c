-- Must return no rows: a side and currency whose summary of the period is not what the database holds
-- for its days, counted from the stored records and not from the outcomes.
with held as (
    select 'kspay' as side, currency, count(*) as records, sum(amount) as amount
    from transactions
    cross join policy
    where
        transactions.app_id = any(policy.app_ids)
        and created_at >= policy.period_first::timestamp at time zone policy.timezone
        and created_at < (policy.period_last + 1)::timestamp at time zone policy.timezone
        and (transactions.app_id, transaction_id) not in (
            select app_id, record_id from quarantine where side = 'kspay' and record_id is not null
        )
    group by currency
    union all
    select 'ledger', currency, count(*), sum(amount)
    from entries
    cross join policy
    where
        entries.app_id = any(policy.app_ids)
        and (
            dated_on between policy.period_first and policy.period_last
            or (
                dated_at >= policy.period_first::timestamp at time zone policy.timezone
                and dated_at < (policy.period_last + 1)::timestamp at time zone policy.timezone
            )
        )
        and (entries.app_id, source, ledger_id) not in (
            select app_id, source, record_id from quarantine where side = 'ledger' and record_id is not null
        )
    group by currency
),

summed as (
    select side, currency, sum(records) as records, sum(amount) as amount
    from summary
    where scope = 'period' and outcome <> 'quarantined'
    group by side, currency
)

select
    coalesce(held.side, summed.side) as side,
    coalesce(held.currency, summed.currency) as record,
    format(
        '%s records of %s in the summary, %s of %s in the database',
        coalesce(summed.records, 0), coalesce(summed.amount, 0), coalesce(held.records, 0), coalesce(held.amount, 0)
    ) as found
from held
full join summed using (side, currency)
where (held.records, held.amount) is distinct from (summed.records, summed.amount)
order by 1, 2
