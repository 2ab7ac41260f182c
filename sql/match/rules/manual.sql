-- What a person joined comes before all rules, and stands until one of its records changes.

insert into taken_txn
select t, min(t) over (partition by h), 'manual'
from txn
where h is not null;

insert into taken_unit
select distinct on (unit.e) unit.e, joined.m, 'manual'
from unit
inner join unit_entry on unit_entry.unit = unit.e
inner join entry on entry.e = unit_entry.e
inner join (select h, min(t) as m from txn where h is not null group by h) as joined on joined.h = entry.h;
