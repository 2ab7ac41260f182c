-- Grain: one record of the match that the record stands in now.
-- Purpose: Shows the whole match.
-- Reads: entries, pairings, transactions
-- Makes: none

with own as (
    select app_id, match_no
    from pairings
    where (:side = 'kspay' and transaction_no = :number) or (:side = 'ledger' and entry_no = :number)
    limit 1
),

matched_entry as (
    select pairings.app_id, pairings.entry_no
    from own
    inner join pairings on pairings.app_id = own.app_id and pairings.transaction_no = own.match_no
),

member as (
    select 'ledger' as side, entry_label(entries.source, entries.ledger_id) as record
    from matched_entry
    inner join entries on entries.app_id = matched_entry.app_id and entries.number = matched_entry.entry_no
    union
    select 'kspay', transactions.transaction_id
    from matched_entry
    inner join pairings using (app_id, entry_no)
    inner join transactions
        on transactions.app_id = pairings.app_id and transactions.number = pairings.transaction_no
)

select side, record
from member
order by side, record
