-- Grain: one row a record, or a sum, that is wrong.
-- Purpose: Must return no rows. Names a record of the matched groups that is in two matches, or in a match with a
-- record that cannot be used, or that not exactly one of its pairs stands for. Counts first: on either side, as many
-- records in matches as pairs that stand for one. Only if the counts differ does it look for the records.
-- Reads: entries, pairings, scope_entry, scope_pairing, scope_transaction, transactions
-- Makes: none

with pairs as (
    select
        count(*) filter (where stands_for_transaction) as transaction_pairs,
        count(*) filter (where stands_for_entry) as entry_pairs
    from scope_pairing
),

counted as (
    select
        transaction_pairs,
        entry_pairs,
        (
            select count(*) from scope_transaction
            where exists (
                    select
                    from pairings
                    where pairings.transaction_no = scope_transaction.number and pairings.stands_for_transaction
                )
        ) as transactions,
        (
            select count(*) from scope_entry
            where exists (
                    select from pairings where pairings.entry_no = scope_entry.number and pairings.stands_for_entry
                )
        ) as entries
    from pairs
),

wrong as (
    select transaction_pairs <> transactions or entry_pairs <> entries as somewhere
    from counted
),

-- A further pair of a record belongs to the match of the pair that stands for it.
further as (
    select 'kspay' as side, further.transaction_no as number
    from scope_pairing as further
    left join
        pairings as standing
        on standing.transaction_no = further.transaction_no
            and standing.stands_for_transaction
            and standing.match_no = further.match_no
    where not further.stands_for_transaction and standing.transaction_no is null
    union
    select 'ledger', further.entry_no
    from scope_pairing as further
    left join
        pairings as standing
        on standing.entry_no = further.entry_no and standing.stands_for_entry and standing.match_no = further.match_no
    where not further.stands_for_entry and standing.entry_no is null
),

several as (
    select 'kspay' as side, transaction_no as number
    from scope_pairing
    where stands_for_transaction and (select somewhere from wrong)
    group by transaction_no
    having count(*) > 1
    union all
    select 'ledger', entry_no
    from scope_pairing
    where stands_for_entry and (select somewhere from wrong)
    group by entry_no
    having count(*) > 1
    union all
    select side, number
    from further
),

-- Each side by itself: "either is missing" could not be joined, and would look through all records for each.
unusable as (
    select entry_no
    from scope_pairing
    where
        (select somewhere from wrong)
        and not exists (select from scope_transaction where scope_transaction.number = scope_pairing.transaction_no)
    union
    select entry_no
    from scope_pairing
    where
        (select somewhere from wrong)
        and not exists (select from scope_entry where scope_entry.number = scope_pairing.entry_no)
),

named as (
    select 'kspay' as side, transactions.transaction_id as record, 'several matches' as found
    from several
    inner join transactions on several.side = 'kspay' and transactions.number = several.number
    union
    select 'ledger', entries.ledger_id, 'several matches'
    from several
    inner join entries on several.side = 'ledger' and entries.number = several.number
    union all
    select 'ledger', entries.ledger_id, 'matched, though one of the two records cannot be used'
    from unusable
    inner join entries on entries.number = unusable.entry_no
)

select side, record, found
from named
order by side, record
