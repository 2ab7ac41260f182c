-- Grain: one entry of the booking that the entry belongs to: the positive one first.
-- Purpose: Shows how a refund is booked.
-- Reads: bookings, entries
-- Makes: none

with own as (
    select app_id, lead_no from bookings where entry_no = :number or lead_no = :number limit 1
),

member as (
    select entry_label(entries.source, entries.ledger_id) as record, entries.amount, entries.currency, true as leads
    from own
    inner join entries on entries.app_id = own.app_id and entries.number = own.lead_no
    union all
    select entry_label(entries.source, entries.ledger_id), entries.amount, entries.currency, false
    from own
    inner join bookings on bookings.app_id = own.app_id and bookings.lead_no = own.lead_no
    inner join entries on entries.app_id = bookings.app_id and entries.number = bookings.entry_no
)

select record, amount, currency, leads
from member
order by leads desc, record asc
