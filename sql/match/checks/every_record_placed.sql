-- Grain: one row a record, or a sum, that is wrong.
-- Purpose: Must return no rows. Names a record of the matched groups that is neither in a match nor found unmatched
-- although money moved or may have moved, and a record that is both.
-- Reads: bookings, findings, pairings, scope_entry, scope_transaction
-- Makes: none

with placed as (
    select
        'kspay' as side,
        transaction_id as record,
        family in ('paid', 'refunded', 'pending', 'unknown') as must,
        pairings.transaction_no is not null as matched,
        findings.number is not null as unmatched
    from scope_transaction
    left join pairings on pairings.transaction_no = scope_transaction.number and pairings.stands_for_transaction
    left join findings
        on findings.side = 'kspay' and findings.number = scope_transaction.number and findings.match_no is null
    union all
    -- A finding about a booking stands at its positive entry, none at the others.
    select
        'ledger',
        ledger_id,
        money_moved(family),
        pairings.entry_no is not null,
        coalesce(findings.number, of_booking.number) is not null
    from scope_entry
    left join bookings on bookings.entry_no = scope_entry.number
    left join pairings on pairings.entry_no = scope_entry.number and pairings.stands_for_entry
    left join findings on findings.side = 'ledger' and findings.number = scope_entry.number
    left join findings as of_booking on of_booking.side = 'ledger' and of_booking.number = bookings.lead_no
)

select
    side,
    record,
    case when matched then 'matched, and found unmatched too' else 'neither matched nor found unmatched' end as found
from placed
where (matched and unmatched) or (must and not matched and not unmatched)
order by 1, 2
