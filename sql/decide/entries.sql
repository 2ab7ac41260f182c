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
    select named.app_id, named.number, coalesce(bookings.lead_no, named.number) as lead_no
    from named
    left join bookings on bookings.app_id = named.app_id and bookings.entry_no = named.number
),

booked as (
    select number, lead_no as entry_no
    from led
    union
    select led.number, bookings.entry_no
    from led
    inner join bookings on bookings.app_id = led.app_id and bookings.lead_no = led.lead_no
),

mate as (
    select
        named.app_id, named.source as named_source, named.ledger_id as named, held.source, held.ledger_id,
        held.currency, held.facts
    from booked
    inner join named using (number)
    inner join known_entry as held on held.app_id = named.app_id and held.number = booked.entry_no
)

select app_id, named_source, named, source, ledger_id, currency, facts
from mate
order by source collate "C", ledger_id collate "C"
