-- Grain: one row a record of the other side that a record of `other_record` is matched with.
-- Purpose: Says what the record that a duplicate repeats, or the only one of a reference, is matched with. They are
-- few, and looked up as in discrepancies/repeated.
-- Reads: entries, other_record, pairings, transactions
-- Makes: other_record

insert into other_record (found_no, side, number, source, record_id, is_mate)
with only_one as (
    select found_no, side, number
    from other_record
    where coalesce(records, 1) = 1 and not is_mate
),

matched_entry as (
    select only_one.found_no, entry.number, entry.source, entry.ledger_id
    from only_one
    cross join lateral (select match_no from pairings where transaction_no = only_one.number limit 1) as own
    cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as mate
    cross join lateral (select number, source, ledger_id from entries where number = mate.entry_no limit 1) as entry
    where only_one.side = 'kspay'
),

matched_transaction as (
    select only_one.found_no, held.number, held.transaction_id
    from only_one
    cross join lateral (select match_no from pairings where entry_no = only_one.number limit 1) as own
    cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as beside
    cross join lateral (select transaction_no from pairings where entry_no = beside.entry_no offset 0) as mate
    cross join
        lateral (select number, transaction_id from transactions where number = mate.transaction_no limit 1) as held
    where only_one.side = 'ledger'
)

select found_no, 'ledger', number, source, ledger_id, true
from matched_entry
union
select found_no, 'kspay', number, null, transaction_id, true
from matched_transaction;

analyze other_record;
