-- Grain: one row a record, or a sum, that is wrong.
-- Purpose: Must return no rows. Names a side and currency where the outcomes of the period are not of exactly the
-- records that the database holds for its days, or do not add up to their amounts; and a carried record that the
-- database does not hold. Sets of records are compared by a fingerprint of their numbers. The records come from the
-- tables, not from the views that give outcomes. Where something is wrong, the records that only one of both has are
-- named.
-- Reads: asked, broken, entries, held_record, outcome, pairings, period_entry, period_transaction, policy, quarantine,
-- tally, transactions
-- Makes: none

with carried as (
    select distinct side, number
    from outcome
    where scope = 'carried'
),

stored as (
    select
        'period' as scope,
        side,
        currency,
        false as quarantined,
        count(*) as records,
        sum(amount) as amount,
        bit_xor(hashint8extended(number, 0)) as fingerprint
    from held_record
    group by side, currency
    union all
    select
        'carried',
        'kspay',
        transactions.currency,
        false,
        count(*),
        sum(transactions.amount),
        bit_xor(hashint8extended(number, 0))
    from carried
    inner join transactions using (number)
    where carried.side = 'kspay'
    group by transactions.currency
    union all
    select
        'carried',
        'ledger',
        entries.currency,
        false,
        count(*),
        sum(entries.amount),
        bit_xor(hashint8extended(number, 0))
    from carried
    inner join entries using (number)
    where carried.side = 'ledger'
    group by entries.currency
    union all
    select
        'period',
        quarantine.side,
        coalesce(quarantine.currency, ''),
        true,
        count(*),
        0,
        0
    from quarantine
    inner join policy on quarantine.app_id = any(policy.app_ids)
    cross join asked
    where
        coalesce(
            coalesce(dated_on, cast((dated_at at time zone policy.timezone) as date))
            between asked.period_first and asked.period_last,
            true
        )
    group by quarantine.side, quarantine.currency
    union all
    select
        'carried',
        quarantine.side,
        coalesce(quarantine.currency, ''),
        true,
        count(*),
        0,
        0
    from carried
    inner join broken on broken.broken_rank = carried.number
    inner join quarantine
        on
            quarantine.app_id = broken.app_id and quarantine.side = broken.side and quarantine.source = broken.source
            and quarantine.record_id is not distinct from broken.record_id and quarantine.content = broken.content
    where carried.side = 'broken'
    group by quarantine.side, quarantine.currency
),

counted as (
    select
        scope,
        side,
        currency,
        outcome = 'quarantined' as quarantined,
        sum(records) as records,
        sum(amount) as amount,
        bit_xor(fingerprint) as fingerprint
    from tally
    group by scope, side, currency, outcome = 'quarantined'
),

differing as (
    select
        scope,
        coalesce(stored.side, counted.side) as side,
        coalesce(stored.currency, counted.currency) as currency,
        quarantined,
        coalesce(counted.records, 0) as counted_records,
        coalesce(counted.amount, 0) as counted_amount,
        coalesce(stored.records, 0) as stored_records,
        coalesce(stored.amount, 0) as stored_amount
    from stored
    full join counted using (scope, side, currency, quarantined)
    where (stored.records, stored.amount, stored.fingerprint) is distinct from (
            counted.records, counted.amount, counted.fingerprint
        )
),

given as (
    select 'kspay' as side, number from period_transaction
    union all
    select 'ledger', number from period_entry
),

-- What is neither in a match nor wrong is excluded, and none of it may be a record by which money moved.
unmatched as (
    select 'kspay' as side, period_transaction.number, transactions.transaction_id as record
    from period_transaction
    inner join transactions on transactions.number = period_transaction.number
    left join pairings on pairings.transaction_no = period_transaction.number and pairings.stands_for_transaction
    where counts and pairings.transaction_no is null
    union all
    select 'ledger', period_entry.number, entries.ledger_id
    from period_entry
    inner join entries on entries.number = period_entry.number
    left join pairings on pairings.entry_no = period_entry.number and pairings.stands_for_entry
    where counts and pairings.entry_no is null
),

wrong as (
    select
        side,
        scope || ' ' || currency as record,
        format(
            '%s records of %s %s, %s of %s are in the database',
            counted_records,
            counted_amount,
            case when quarantined then 'are counted as quarantined' else 'have an outcome' end,
            stored_records, stored_amount
        ) as found
    from differing
    union all
    select
        coalesce(held_record.side, given.side),
        coalesce(held_record.record, '#' || given.number),
        case when given.number is null then 'no outcome' else 'an outcome, though the period does not hold it' end
    from held_record
    full join given using (side, number)
    where
        (select exists(select from differing where scope = 'period' and not quarantined))
        and (held_record.number is null or given.number is null)
    union all
    -- Each of `outcome` is taken out of the count and put in again, so that the sums above say nothing of these.
    select side, '#' || number, count(*) || ' outcomes'
    from outcome
    where side <> 'broken'
    group by scope, side, number
    having count(*) > 1
    union all
    select side, scope || ' ' || currency, format('%s records are counted as %s', sum(records), outcome)
    from tally
    group by scope, side, currency, outcome
    having sum(records) < 0
    union all
    select side, record, 'money moved, and the outcome is excluded'
    from unmatched
    where
        (select coalesce(sum(records), 0) > 0 from tally where scope = 'period' and outcome = 'excluded' and counts)
        and not exists (
            select from outcome
            where
                outcome.scope = 'period' and outcome.side = unmatched.side and outcome.number = unmatched.number
                and outcome.outcome <> 'excluded'
        )
)

select side, record, found
from wrong
order by side, record
