-- The records of the groups that are matched anew, and what was remembered of them.

create temp table scope_transaction on commit drop as
select usable_transaction.*
from usable_transaction
inner join scope_t using (number);

create temp table scope_entry on commit drop as
select usable_entry.*
from usable_entry
inner join scope_e using (number);

create temp view scope_pairing as
select pairings.*
from pairings
inner join scope_t on scope_t.number = pairings.t;

create temp table scope_finding on commit drop as
select findings.*
from findings
inner join scope_t on findings.side = 'kspay' and findings.number = scope_t.number
union all
select findings.*
from findings
inner join scope_e on findings.side = 'ledger' and findings.number = scope_e.number;

create temp table scope_booking on commit drop as
select bookings.*
from bookings
inner join scope_e on scope_e.number = bookings.e;

create unique index on scope_transaction (number);
create unique index on scope_entry (number);
analyze scope_transaction;
analyze scope_entry;
analyze scope_finding;
analyze scope_booking;
analyze scope_t;
analyze scope_e;
