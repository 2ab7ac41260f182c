-- Must return no rows: a side and currency of which the outcomes of the period are not those of exactly the records
-- that the database holds for its days, or do not add up to their amounts; or a carried record that is none. The
-- records are told apart by the fingerprint of their numbers, and by their days, worked out from the stored times
-- and not by the view that gives outcomes. Where something is wrong, the records that only one of the two has are named.
with held as (
    select 'kspay' as side, number, transaction_id as record, currency, amount
    from transactions
    where
        app_id = any((select app_ids from policy)::text[])
        and created_at >= (select period_first - 2 from asked)
        and created_at < (select period_last + 3 from asked)
        and case
            when
                (created_at at time zone (select timezone from policy))::date
                between (select period_first from asked) and (select period_last from asked)
                then true
        end
        and not exists (
            select from quarantine
            where
                quarantine.side = 'kspay' and quarantine.app_id = transactions.app_id
                and quarantine.record_id = transactions.transaction_id
        )
    union all
    select 'ledger', number, ledger_id, currency, amount
    from entries
    where
        app_id = any((select app_ids from policy)::text[])
        and not withdrawn
        and coalesce(dated_on, (dated_at at time zone 'UTC')::date)
        between (select period_first - 2 from asked) and (select period_last + 2 from asked)
        and case
            when
                coalesce(dated_on, (dated_at at time zone (select timezone from policy))::date)
                between (select period_first from asked) and (select period_last from asked)
                then true
        end
        and not exists (
            select from quarantine
            where
                quarantine.side = 'ledger' and quarantine.app_id = entries.app_id
                and quarantine.source = entries.source and quarantine.record_id = entries.ledger_id
        )
),

stored as (
    select
        'period' as scope,
        side,
        currency,
        count(*) as records,
        sum(amount) as amount,
        bit_xor(hashint8extended(number, 0)) as print
    from held
    group by side, currency
    union all
    select 'carried', 'kspay', transactions.currency, count(*), sum(transactions.amount), bit_xor(hashint8extended(number, 0))
    from outcome
    inner join transactions using (number)
    where outcome.scope = 'carried' and outcome.side = 'kspay'
    group by transactions.currency
    union all
    select 'carried', 'ledger', entries.currency, count(*), sum(entries.amount), bit_xor(hashint8extended(number, 0))
    from outcome
    inner join entries using (number)
    where outcome.scope = 'carried' and outcome.side = 'ledger'
    group by entries.currency
),

told as (
    select
        scope,
        side,
        currency,
        sum(records) as records,
        sum(amount) as amount,
        bit_xor(print) as print
    from tally
    where outcome <> 'quarantined'
    group by scope, side, currency
),

differing as (
    select
        scope,
        coalesce(stored.side, told.side) as side,
        coalesce(stored.currency, told.currency) as currency,
        coalesce(told.records, 0) as told_records,
        coalesce(told.amount, 0) as told_amount,
        coalesce(stored.records, 0) as stored_records,
        coalesce(stored.amount, 0) as stored_amount
    from stored
    full join told using (scope, side, currency)
    where (stored.records, stored.amount, stored.print) is distinct from (told.records, told.amount, told.print)
)

select
    side,
    scope || ' ' || currency as record,
    format(
        '%s records of %s have an outcome, %s of %s are in the database',
        told_records, told_amount, stored_records, stored_amount
    ) as found
from differing
union all
select
    coalesce(held.side, given.side),
    coalesce(held.record, '#' || given.number),
    case when given.number is null then 'no outcome' else 'an outcome, though the period does not hold it' end
from held
full join (
    select 'kspay' as side, number from period_transaction
    union all
    select 'ledger', number from period_entry
) as given using (side, number)
where (select exists (select from differing where scope = 'period')) and (held.number is null or given.number is null)
order by 1, 2
