-- Grain: one record whose match, finding or representing pair is another one after matching everything again.
-- Purpose: Compares with `findings_before`, the findings that were remembered, and with `standing_before`, the pairs
-- that did not stand for both of their records.
-- Reads: asked, entries, findings, findings_before, pairing_versions, pairings, standing_before, transactions
-- Makes: none

with standing as (
    select transaction_no, entry_no, stands_for_transaction, stands_for_entry
    from pairings
    where not (stands_for_transaction and stands_for_entry)
),

moved as (
    select transaction_no, entry_no
    from pairings
    inner join asked on made_by = run_number
    union
    select transaction_no, entry_no
    from pairing_versions
    inner join asked on undone_by = run_number
    union
    select transaction_no, entry_no
    from (
        (
            select * from standing_before
            except
            select * from standing
        )
        union
        (
            select * from standing
            except
            select * from standing_before
        )
    ) as stands_otherwise
),

changed_finding as (
    (
        select * from findings
        except
        select * from findings_before
    )
    union
    (
        select * from findings_before
        except
        select * from findings
    )
),

named as (
    select transactions.transaction_id as record
    from moved
    inner join transactions on transactions.number = moved.transaction_no
    union
    select entry_label(entries.source, entries.ledger_id)
    from moved
    inner join entries on entries.number = moved.entry_no
    union
    select coalesce(transactions.transaction_id, entry_label(entries.source, entries.ledger_id))
    from changed_finding
    left join transactions on side = 'kspay' and transactions.number = changed_finding.number
    left join entries on side = 'ledger' and entries.number = changed_finding.number
)

select record
from named
order by record collate "C"
