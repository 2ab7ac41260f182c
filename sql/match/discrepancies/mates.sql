-- Grain: one row a record of the other side that a record of `other_record` is matched with.
-- Purpose: Says what the record that a duplicate repeats, or the only one of a reference, is matched with. They are
-- few, and looked up as in discrepancies/repeated.
-- Reads: entries, other_record, pairings, transactions
-- Makes: other_record

insert into other_record (found_no, side, number, source, record_id, is_mate)
select other.found_no, 'ledger', mate.number, mate.source, mate.ledger_id, true
from other_record as other
cross join lateral (select match_no from pairings where transaction_no = other.number limit 1) as own
cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as taken
cross join lateral (select number, source, ledger_id from entries where number = taken.entry_no limit 1) as mate
where other.side = 'kspay' and coalesce(other.records, 1) = 1 and not other.is_mate
union
select other.found_no, 'kspay', mate.number, null, mate.transaction_id, true
from other_record as other
cross join lateral (select match_no from pairings where entry_no = other.number limit 1) as own
cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as beside
cross join lateral (select transaction_no from pairings where entry_no = beside.entry_no offset 0) as taken
cross join lateral (select number, transaction_id from transactions where number = taken.transaction_no limit 1) as mate
where other.side = 'ledger' and coalesce(other.records, 1) = 1 and not other.is_mate;

analyze other_record;
