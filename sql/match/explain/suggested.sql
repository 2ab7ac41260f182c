-- Grain: one record that amount_date compares with this one: unmatched except for that rule, paid or refunded, of equal
-- amount (or the amount less the expected fee) and currency, within the date tolerance.
-- Purpose: `side` says whether it is a candidate (the other side) or a rival (the same side).
-- Reads: bookings, findings, known_entry, known_transaction, pairings, policy
-- Makes: none

with free as (
    select 'kspay' as side, txn.number, txn.transaction_id as name, txn.currency, txn.amount, txn.fee, txn.business_on
    from findings
    inner join known_transaction as txn using (app_id, number)
    where
        findings.app_id = :app_id and findings.side = 'kspay' and findings.match_no is null
        and findings.kind in ('MISSING_IN_LEDGER', 'DUPLICATE_IN_KSPAY')
    union
    select 'kspay', txn.number, txn.transaction_id, txn.currency, txn.amount, txn.fee, txn.business_on
    from pairings
    inner join known_transaction as txn on txn.app_id = pairings.app_id and txn.number = pairings.transaction_no
    where pairings.app_id = :app_id and pairings.rule = 'amount_date'
    union
    select
        'ledger',
        held.number,
        entry_label(held.source, held.ledger_id),
        held.currency,
        held.amount,
        null,
        held.business_on
    from findings
    inner join known_entry as held using (app_id, number)
    where
        findings.app_id = :app_id and findings.side = 'ledger'
        and findings.kind in ('MISSING_IN_KSPAY', 'DUPLICATE_IN_LEDGER')
    union
    select
        'ledger',
        held.number,
        entry_label(held.source, held.ledger_id),
        held.currency,
        held.amount,
        null,
        held.business_on
    from pairings
    inner join known_entry as held on held.app_id = pairings.app_id and held.number = pairings.entry_no
    where
        pairings.app_id = :app_id and pairings.rule = 'amount_date'
        and pairings.entry_no not in (select entry_no from bookings where app_id = :app_id)
),

own as (
    select * from free where side = :side and number = :number
),

candidate as (
    select free.*, own.number as of_own
    from own
    cross join policy
    inner join free using (currency)
    where
        free.side <> own.side
        and (free.amount = own.amount or free.amount = own.amount - own.fee or free.amount - free.fee = own.amount)
        and abs(free.business_on - own.business_on) <= policy.date_tolerance_days
),

compared as (
    select candidate.name, abs(candidate.business_on - own.business_on) as days, rival.rivals
    from candidate
    cross join own
    cross join
        lateral (
            select coalesce(array_agg(free.name order by free.name collate "C"), '{}') as rivals
            from free
            cross join policy
            where
                free.side = own.side and free.number <> own.number
                and free.currency = candidate.currency
                and (
                    free.amount = candidate.amount or free.amount = candidate.amount - candidate.fee
                    or free.amount - free.fee = candidate.amount
                )
                and abs(free.business_on - candidate.business_on) <= policy.date_tolerance_days
        ) as rival
)

select name, days, rivals
from compared
order by days, name collate "C"
