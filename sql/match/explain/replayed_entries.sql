-- Grain: one entry of the group, the unit that it is matched in, and what took that.
-- Purpose: The entries that the replay begins with. `own_…` is what an entry says by itself, where the unit is a
-- booking; `part_of` is the positive entry of that, of one that gives back of it.
-- Reads: entry, taken_unit, unit, unit_entry
-- Makes: none

select
    unit_entry.unit_rank as rank,
    entry.number,
    entry_label(entry.source, entry.ledger_id) as name,
    unit.family,
    unit.currency,
    unit.amount,
    unit.business_on,
    entry.family as own_family,
    entry.currency as own_currency,
    entry.amount as own_amount,
    entry.business_on as own_business_on,
    case
        when entry.entry_rank <> unit_entry.unit_rank then entry_label(lead_entry.source, lead_entry.ledger_id)
    end as part_of,
    entry.entry_rank = unit_entry.unit_rank as leads,
    taken_unit.match_rank,
    taken_unit.rule
from entry
inner join unit_entry on unit_entry.entry_rank = entry.entry_rank
inner join unit on unit.entry_rank = unit_entry.unit_rank
inner join entry as lead_entry on lead_entry.entry_rank = unit_entry.unit_rank
left join taken_unit on taken_unit.entry_rank = unit_entry.unit_rank
order by entry.entry_rank
