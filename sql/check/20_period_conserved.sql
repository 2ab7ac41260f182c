-- Must return no rows: a record that the database holds for the days of the period and that has no outcome,
-- or several; the days are worked out from the stored times, not by the view that gives outcomes.
with held as (
    select 'kspay' as side, number, transaction_id as record
    from transactions
    inner join policy on transactions.app_id = any(policy.app_ids)
    cross join asked
    where
        created_at >= asked.period_first::timestamp at time zone policy.timezone
        and created_at < (asked.period_last + 1)::timestamp at time zone policy.timezone
        and (app_id, transaction_id) not in (
            select app_id, record_id from quarantine where side = 'kspay' and record_id is not null
        )
    union all
    select 'ledger', number, ledger_id
    from entries
    inner join policy on entries.app_id = any(policy.app_ids)
    cross join asked
    where
        not withdrawn
        and coalesce(dated_on, (dated_at at time zone 'UTC')::date)
        between asked.period_first - 1 and asked.period_last + 1
        and (
            dated_on between asked.period_first and asked.period_last
            or (
                dated_at >= asked.period_first::timestamp at time zone policy.timezone
                and dated_at < (asked.period_last + 1)::timestamp at time zone policy.timezone
            )
        )
        and (app_id, source, ledger_id) not in (
            select app_id, source, record_id from quarantine where side = 'ledger' and record_id is not null
        )
),

given as (
    select side, number, count(*) as outcomes
    from outcome
    where scope = 'period' and side <> 'broken'
    group by side, number
)

select
    side,
    coalesce(held.record, '#' || number) as record,
    coalesce(given.outcomes, 0) || ' outcomes' as found
from held
full join given using (side, number)
where held.record is null or given.outcomes is distinct from 1
order by 1, 2
