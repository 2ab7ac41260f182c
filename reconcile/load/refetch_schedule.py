"""Which older days a run without dates reads again, so that a late change is seen within a week. Pure.

The covered days of the last RECONCILE_REREAD_DAYS are cut into blocks of a seventh, laid out from a
fixed day and not from the as-of day, and each night reads the blocks whose turn it is: in seven nights
every day has been read again, in few windows. Nights that were missed are made up for by the next one.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from reconcile.core.records import Period

TURNS = 7
_DAY = timedelta(days=1)


def turns_since(last_as_of: date | None, as_of: date) -> frozenset[int]:
    """The turns of the nights after the last finished run up to this one; of this one at least."""
    nights = TURNS if last_as_of is None else min(TURNS, max(1, (as_of - last_as_of).days))
    return frozenset((as_of.toordinal() - night) % TURNS for night in range(nights))


def days_to_refetch(
    covered: Sequence[Period], reread_days: int, before: date, as_of: date, turns: frozenset[int]
) -> list[Period]:
    """The covered days whose turn it is, of the `reread_days` up to `as_of` and earlier than `before`."""
    length = -(-reread_days // TURNS)
    day = as_of - timedelta(days=reread_days - 1)
    found: list[Period] = []
    while day < before and reread_days:
        if (day.toordinal() // length) % TURNS in turns and any(p.first <= day <= p.last for p in covered):
            if found and found[-1].last == day - _DAY:
                found[-1] = Period(found[-1].first, day)
            else:
                found.append(Period(day, day))
        day += _DAY
    return found
