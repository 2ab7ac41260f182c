-- Grain: one row an entry of the match that a discrepancy is about.
-- Purpose: What a journal states again, where resolved.csv cuts the list of their ids.
-- Reads: bookings, discrepancies, entries, pairings, transactions
-- Makes: none

with of_match as (
    select distinct pairings.app_id, pairings.entry_no
    from discrepancies
    inner join transactions
        on transactions.app_id = discrepancies.app_id and transactions.transaction_id = discrepancies.record_id
    inner join pairings on pairings.app_id = transactions.app_id and pairings.match_no = transactions.number
    where discrepancies.discrepancy_id = :discrepancy_id and discrepancies.side = 'kspay'
),

with_refunds as (
    select app_id, entry_no
    from of_match
    union all
    select bookings.app_id, bookings.entry_no
    from of_match
    inner join bookings on bookings.app_id = of_match.app_id and bookings.lead_no = of_match.entry_no
)

select
    entries.source,
    entries.ledger_id,
    entries.reference,
    entries.currency,
    entries.amount,
    entries.status,
    coalesce(
        cast(entries.dated_on as text), to_char(entries.dated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) as entry_date,
    entries.transaction_id,
    entries.provider_order_id,
    entries.provider_txn_id,
    entries.description
from entries
where
    (entries.app_id, entries.number) in (select app_id, entry_no from with_refunds)
    and not entries.withdrawn
order by entries.source collate "C", entries.ledger_id collate "C"
