-- Grain: one row a record, or a sum, that is wrong.
-- Purpose: Must return no rows. Names a match of the matched groups whose sides differ by more than the tolerance, with
-- or without the expected fee, or in their currency, and no finding says so. The amounts are those of the stored
-- records. Nearly every match is one pair, so there is nothing to add up. The few others, and what is wrong, are looked
-- up by an array of numbers: a join would go through the whole tables for them.
-- Reads: bookings, entries, findings, pairings, scope_pairing, scope_transaction, transactions, usable_transaction
-- Makes: none

with several as (
    select match_no, transaction_no, entry_no
    from scope_pairing
    where not (stands_for_transaction and stands_for_entry)
),

-- A record stands in one pair of its match, so of two pairs that share one at least one is in `several`.
pair_of_several as (
    select match_no, transaction_no, entry_no
    from pairings
    where
        transaction_no = any(array(select transaction_no from several))
        or entry_no = any(array(select entry_no from several))
),

member as (
    select match_no, transaction_no as number, 'kspay' as side from pair_of_several
    union
    select match_no, entry_no, 'ledger' from pair_of_several
),

side as (
    select
        member.match_no,
        sum(usable_transaction.amount) as kspay,
        sum(usable_transaction.fee) as fee,
        null::numeric as ledger,
        tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance,
        min(currency) as lowest,
        max(currency) as highest
    from member
    inner join usable_transaction using (number)
    where
        member.side = 'kspay'
        and usable_transaction.number = any(array(select number from member where member.side = 'kspay'))
    group by member.match_no
    union all
    select
        member.match_no,
        null,
        null,
        sum(entries.amount),
        null,
        min(currency),
        max(currency)
    from member
    inner join entries using (number)
    where
        member.side = 'ledger' and member.number not in (select entry_no from bookings)
        and entries.number = any(array(select number from member where member.side = 'ledger'))
    group by member.match_no
),

balance as (
    select
        match_no,
        sum(kspay) as kspay,
        sum(fee) as fee,
        sum(ledger) as ledger,
        max(tolerance) as tolerance,
        min(lowest) = max(highest) as same_currency
    from side
    group by match_no
    union all
    select
        pairings.match_no,
        scope_transaction.amount,
        scope_transaction.fee,
        case when bookings.entry_no is null then entries.amount end,
        tolerance_of(tolerance_fixed, tolerance_percent, scope_transaction.amount),
        scope_transaction.currency = entries.currency
    from pairings
    inner join scope_transaction on scope_transaction.number = pairings.transaction_no
    inner join entries on entries.number = pairings.entry_no
    left join bookings on bookings.entry_no = pairings.entry_no
    where
        stands_for_transaction and stands_for_entry
        -- As in `several`; processes of the server cannot share what reads a part of this statement.
        and not exists (
            select from pairings as other
            where other.match_no = pairings.match_no and not (other.stands_for_transaction and other.stands_for_entry)
        )
),

unsaid as materialized (
    select match_no, kspay, ledger
    from balance
    where
        (not same_currency or (kspay <> ledger and amount_apart(kspay, fee, ledger) > tolerance) or ledger is null)
        and not exists (
            select from findings
            where findings.side = 'kspay' and findings.number = balance.match_no and findings.aspect = 'amount'
        )
),

named as (
    select
        transactions.transaction_id as record,
        unsaid.kspay,
        unsaid.ledger
    from unsaid
    inner join transactions on transactions.number = unsaid.match_no
    where transactions.number = any(array(select match_no from unsaid))
)

select
    'kspay' as side,
    record,
    format('matched with %s against %s, and nothing says so', kspay, ledger) as found
from named
order by record
