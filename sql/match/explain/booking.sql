-- Grain: one entry of the booking that the entry belongs to: the positive one first.
with own as (
    select lead from bookings where e = :number or lead = :number limit 1
)

select entries.source || ':' || entries.ledger_id as record, entries.amount, entries.currency, true as leads
from own
inner join entries on entries.number = own.lead
union all
select entries.source || ':' || entries.ledger_id, entries.amount, entries.currency, false
from own
inner join bookings on bookings.lead = own.lead
inner join entries on entries.number = bookings.e
order by leads desc, record
