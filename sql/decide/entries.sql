-- Grain: one row a named entry and entry of its booking; an entry without a booking is alone in it.
-- Purpose: The entries that a `match` decision joins. A booking is always matched as a whole.
-- Reads: bookings, known_entry
-- Makes: none

with named as (
    select app_id, number, source, ledger_id
    from known_entry
    where app_id = any(:app_ids) and ledger_id = any(:ids)
),

led as (
    select named.number, coalesce(bookings.lead_no, named.number) as lead_no
    from named
    left join bookings on bookings.entry_no = named.number
),

booked as (
    select number, lead_no as entry_no
    from led
    union
    select led.number, bookings.entry_no
    from led
    inner join bookings on bookings.lead_no = led.lead_no
)

select
    named.app_id, named.source as named_source, named.ledger_id as named, mate.source, mate.ledger_id, mate.currency,
    mate.facts
from booked
inner join named using (number)
inner join known_entry as mate on mate.number = booked.entry_no
order by mate.source collate "C", mate.ledger_id collate "C"
