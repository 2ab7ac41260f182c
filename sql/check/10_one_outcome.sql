-- Must return no rows: a record that the database holds and that has no outcome, or several.
with held as (
    select 'kspay' as side, transactions.app_id, 'kspay' as source, transaction_id as record_id
    from transactions
    inner join policy on transactions.app_id = any(policy.app_ids)
    where not exists (
        select from quarantine as q
        where q.app_id = transactions.app_id and q.side = 'kspay' and q.record_id = transactions.transaction_id
    )
    union all
    select 'ledger', entries.app_id, source, ledger_id
    from entries
    inner join policy on entries.app_id = any(policy.app_ids)
    where not exists (
        select from quarantine as q
        where
            q.app_id = entries.app_id and q.side = 'ledger' and q.source = entries.source
            and q.record_id = entries.ledger_id
    )
),

given as (
    select outcome.side, txn.app_id, 'kspay' as source, txn.transaction_id as record_id
    from outcome
    inner join txn on outcome.side = 'kspay' and txn.t = outcome.number
    union all
    select outcome.side, entry.app_id, entry.source, entry.ledger_id
    from outcome
    inner join entry on outcome.side = 'ledger' and entry.e = outcome.number
)

select
    coalesce(held.side, given.side) as side,
    coalesce(held.record_id, given.record_id) as record,
    given.outcomes || ' outcomes' as found
from held
full join (
    select side, app_id, source, record_id, count(*) as outcomes
    from given
    group by side, app_id, source, record_id
) as given using (side, app_id, source, record_id)
where held.record_id is null or given.outcomes is distinct from 1
order by 1, 2
