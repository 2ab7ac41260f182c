-- Grain: one row a side, app and currency: the first business day that has it, of those up to the last one.
-- Purpose: Lets a currency that an app never had before be noticed.
-- Reads: entries, policy, transactions
-- Makes: none

with dated as (
    select
        'kspay' as side,
        held.app_id,
        held.currency,
        business_date(min(held.created_at), min(policy.timezone)) as first_day
    from transactions as held
    inner join policy on held.app_id = any(policy.app_ids)
    group by held.app_id, held.currency
    union all
    select
        'ledger',
        held.app_id,
        held.currency,
        min(coalesce(held.dated_on, business_date(held.dated_at, policy.timezone)))
    from entries as held
    inner join policy on held.app_id = any(policy.app_ids)
    where not held.withdrawn
    group by held.app_id, held.currency
)

select side, app_id, currency, first_day
from dated
where first_day <= :last
order by side, app_id collate "C", currency collate "C"
