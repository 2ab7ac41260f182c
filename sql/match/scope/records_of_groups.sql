-- Grain: `scope_…`: one row a record, pairing, finding or booking of the groups.
-- Purpose: The records of the groups that are matched again, and what was remembered of them.
-- Reads: bookings, findings, pairings, scope_entry_no, scope_transaction_no, usable_entry, usable_transaction
-- Makes: scope_booking, scope_entry, scope_finding, scope_pairing, scope_transaction

create temp table scope_transaction on commit drop as
select *
from usable_transaction
where number = any(array(select number from scope_transaction_no));

create temp table scope_entry on commit drop as
select *
from usable_entry
where number = any(array(select number from scope_entry_no));

create temp view scope_pairing as
select *
from pairings
where transaction_no = any(array(select number from scope_transaction_no));

create temp table scope_finding on commit drop as
select *
from findings
where side = 'kspay' and number = any(array(select number from scope_transaction_no))
union all
select *
from findings
where side = 'ledger' and number = any(array(select number from scope_entry_no));

create temp table scope_booking on commit drop as
select bookings.*
from bookings
inner join scope_entry_no on scope_entry_no.number = bookings.entry_no;

-- An array of numbers, as prepare/records looks them up by, is gone through for every row where there is no index.
create unique index on scope_transaction (number);
create unique index on scope_entry (number);
analyze scope_transaction;
analyze scope_entry;
analyze scope_finding;
analyze scope_booking;
analyze scope_transaction_no;
analyze scope_entry_no;
