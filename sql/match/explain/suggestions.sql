-- Grain: one row a discrepancy whose record has a suggested counterpart.
-- Purpose: What a `match` without ids takes, and what an `accept` warns of. Several transactions have ";" between.
-- Reads: discrepancies, suggestion, usable_entry, usable_transaction
-- Makes: none

select discrepancies.discrepancy_id, entry_label(usable_entry.source, usable_entry.ledger_id) as counterpart
from discrepancies
inner join usable_transaction
    on
        usable_transaction.app_id = discrepancies.app_id
        and usable_transaction.transaction_id = discrepancies.record_id
inner join suggestion on suggestion.transaction_no = usable_transaction.number
inner join usable_entry on usable_entry.number = suggestion.entry_no
where
    discrepancies.discrepancy_id = any(:ids) and discrepancies.aspect = 'presence'
    and discrepancies.side = 'kspay' and suggestion.kind is distinct from 'batch'
union all
select
    discrepancies.discrepancy_id,
    string_agg(usable_transaction.transaction_id, ';' order by usable_transaction.transaction_id collate "C")
from discrepancies
inner join usable_entry
    on
        usable_entry.app_id = discrepancies.app_id and usable_entry.source = discrepancies.source
        and usable_entry.ledger_id = discrepancies.record_id
inner join suggestion on suggestion.entry_no = usable_entry.number
inner join usable_transaction on usable_transaction.number = suggestion.transaction_no
where
    discrepancies.discrepancy_id = any(:ids) and discrepancies.aspect = 'presence'
    and discrepancies.side = 'ledger'
group by discrepancies.discrepancy_id
