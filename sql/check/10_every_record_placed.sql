-- Must return no rows: a record of the groups that were matched that is neither in a match nor found
-- unmatched, although its status says that money moved, may move, or nobody knows; or that is both.
with placed as (
    select
        'kspay' as side,
        scope_transaction.number,
        transaction_id as record,
        family in ('paid', 'refunded', 'pending', 'unknown') as must,
        exists (select from pairings where pairings.t = scope_transaction.number) as matched,
        exists (
            select from findings
            where
                findings.side = 'kspay' and findings.number = scope_transaction.number and findings.m is null
        ) as unmatched
    from scope_transaction
    union all
    select
        'ledger',
        scope_entry.number,
        ledger_id,
        family in ('paid', 'refunded', 'unknown'),
        exists (select from pairings where pairings.e = scope_entry.number),
        exists (
            select from findings
            where
                findings.side = 'ledger'
                and findings.number in (
                    scope_entry.number,
                    (select bookings.lead from bookings where bookings.e = scope_entry.number)
                )
        )
    from scope_entry
)

select
    side,
    record,
    case when matched then 'matched, and found unmatched too' else 'neither matched nor found unmatched' end as found
from placed
where (matched and unmatched) or (must and not matched and not unmatched)
order by 1, 2
