-- Grain: one entry of the group, the unit that it is matched in, and what took that.
select
    unit_entry.unit as own, entry.number, entry.source || ':' || entry.ledger_id as name, unit.family, unit.currency,
    unit.amount, unit.business_on, entry.e = unit_entry.unit as leads, taken_unit.m, taken_unit.rule
from entry
inner join unit_entry on unit_entry.e = entry.e
inner join unit on unit.e = unit_entry.unit
left join taken_unit on taken_unit.e = unit_entry.unit
order by entry.e
