"""Until when the last days of a period are listed: whether `toDate` includes its day, and its zone, are unknown.

No day after the server's today may be asked for, so the end of the last days may not be listed yet. The rows that a
`toDate` lists end some hours before or after the midnight (UTC) with which its day begins, always equally many: from
14 hours before (a zone far east of UTC, the day not included) to 36 hours after (far west, the day included). A row
that was listed shows that it is not less. In every zone, days begin on a quarter of an hour of UTC.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from reconcile.kspay.paging.windows import Window

QUARTER = timedelta(minutes=15)
_EARLIEST, _LATEST = timedelta(hours=-14), timedelta(hours=36)
_SUMMER = timedelta(hours=1)  # a zone's days may begin an hour earlier or later on another day of the year
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """The instant at which a day of UTC begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


class LastDay:
    """Until when everything is listed that a range with `last` as its `toDate` can list."""

    def __init__(self, last: date) -> None:
        self._last = last
        self._after = _EARLIEST

    @property
    def listed_until(self) -> datetime:
        """The latest instant up to which rows were shown to be listed, UTC."""
        return midnight(self._last) + self._after

    def covers(self, needed: datetime) -> bool:
        """Whether everything before this instant is listed."""
        return self.listed_until >= needed or (
            self._after > _EARLIEST and self.listed_until + QUARTER > needed
        )

    def add(self, window: Window, at: datetime | None) -> None:
        """Learn from a row created at `at` that `window` listed."""
        if at is None:
            return
        after = at - midnight(window.to_date) - (_SUMMER if window.to_date != self._last else timedelta())
        if self._after < after <= _LATEST:
            self._after = after

    def windows_to_probe(self, created: Iterable[datetime], needed: datetime) -> list[Window]:
        """Windows that would show, if they list the rows created at these times, until when the last one lists.

        First one that ends on the day of such a row, so that it lists the row only if that day is included; then one
        that ends on the day after.
        """
        at = [instant for instant in created if instant.date() < self._last]
        clock = {instant: instant - midnight(instant.date()) - _SUMMER for instant in at}
        enough = [instant for instant in at if clock[instant] >= needed - midnight(self._last)]
        older = [instant for instant in at if instant.date() < self._last - _DAY]
        found = []
        if enough:
            day = min(enough, key=lambda instant: (clock[instant], instant)).date()
            found.append(Window(day - _DAY, day))
        if older:
            day = max(older, key=lambda instant: (clock[instant], instant)).date()
            found.append(Window(day, day + _DAY))
        return found
