"""Until when a range of days reaches: the guide does not say whether `toDate` includes its day, nor in which zone.

Nothing may be asked for beyond the server's today, so the end of the last days may not be listed yet. What `toDate`
lists ends so long before or after the midnight of UTC with which that day begins, and always equally long: from 14
hours before (far east of UTC, the day not included) to 36 hours after it (far west, included). A row that was listed
shows that it is not less. Days begin on a quarter of an hour in every zone.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from reconcile.kspay.paging.windows import Window

QUARTER = timedelta(minutes=15)
_EAST, _WEST = timedelta(hours=-14), timedelta(hours=36)
_SUMMER = timedelta(hours=1)  # a zone's days may begin an hour earlier or later on another day of the year
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """With which a day of UTC begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class Reach:
    """Until when everything is listed that a range with `last` as its `toDate` can list."""

    def __init__(self, last: date) -> None:
        self._last = last
        self._after = _EAST

    @property
    def until(self) -> datetime:
        """The latest instant that was shown to be listed, UTC."""
        return midnight(self._last) + self._after

    def covers(self, needed: datetime) -> bool:
        """Whether everything before this instant is listed."""
        return self.until >= needed or (self._after > _EAST and self.until + QUARTER > needed)

    def note(self, window: Window, at: datetime | None) -> None:
        """A window listed a row that was created then."""
        if at is None:
            return
        after = at - midnight(window.to_date) - (_SUMMER if window.to_date != self._last else timedelta())
        if self._after < after <= _WEST:
            self._after = after

    def telling(self, created: Iterable[datetime], needed: datetime) -> list[Window]:
        """Ranges that would show, if they list the rows created at these times, how far the last one reaches.

        First one that ends on the day of such a row, so that it is listed only if that day is included; then one that
        ends on the day after.
        """
        at = [each for each in created if each.date() < self._last]
        clock = {each: each - midnight(each.date()) - _SUMMER for each in at}
        enough = [each for each in at if clock[each] >= needed - midnight(self._last)]
        older = [each for each in at if each.date() < self._last - _DAY]
        found = []
        if enough:
            day = min(enough, key=lambda each: (clock[each], each)).date()
            found.append(Window(day - _DAY, day))
        if older:
            day = max(older, key=lambda each: (clock[each], each)).date()
            found.append(Window(day, day + _DAY))
        return found
