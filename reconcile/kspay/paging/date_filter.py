"""Which time the date range of Fetch All Transactions filters, `createdAt` or `updatedAt`: the guide says nothing.

If the range filters `createdAt`, no row leaves a window while it is read, and a count proves that nothing is missing.
If rows may leave, readings must agree (see proofs). So it pays to find out. Three things show it:

- A row whose creation or last change lies outside the window that lists it, whatever the zone (`learn`).
- The days around the creation of a row that changed days later (`WindowTimes.day_to_probe`, `client`).
- Where all rows changed soon after their creation: the beginning of one day (`DayBorder`).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from operator import ge, itemgetter, le

from reconcile.core.records import RawRow
from reconcile.kspay.paging.facts import DateFilter, ServerFacts
from reconcile.kspay.paging.listing import Times, instant, row_id, times_of
from reconcile.kspay.paging.windows import Window

LATE_CHANGE = timedelta(days=4)
"""A row that changed so long after its creation can be asked for without the day of its change."""

_DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
_WIDEST_ZONE = timedelta(hours=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_time_of_day = itemgetter(slice(11, None))  # of a time as text


def outside(window: Window, at: datetime) -> bool:
    """Whether an instant lies outside the window whatever the zone that its days are cut in."""
    return not window.from_date - _DAY <= at.date() <= window.to_date + _DAY


def learn(server: ServerFacts, window: Window, created: datetime | None, updated: datetime | None) -> None:
    """Learn what the range filters from the times of a row that `window` was answered with."""
    if created is None or updated is None or server.date_filter is DateFilter.CREATED:
        return
    if outside(window, updated):
        server.date_filter = DateFilter.CREATED
    elif outside(window, created):
        server.date_filter = DateFilter.UPDATED


class WindowTimes:
    """The times of the rows of one window."""

    def __init__(self, window: Window, server: ServerFacts) -> None:
        self._window = window
        self._server = server
        self._widest = timedelta()  # from the creation of a row to its last change …
        self._widest_day: date | None = None  # … and the day of that creation
        self._latest = ""
        self.border = DayBorder(window)
        self.first_at: datetime | None = None
        """The earliest `createdAt`, aware, UTC; None where no row has one."""
        self.last_at: datetime | None = None
        """The latest `createdAt`."""
        self.latest_clock: datetime | None = None
        """A `createdAt` of the latest time of day, of the rows whose times have KS Pay's usual form."""

    @property
    def day_to_probe(self) -> date | None:
        """The day on which a row was created that changed so late that its day can show the filter."""
        return self._widest_day if self._widest >= LATE_CHANGE else None

    def add(self, rows: list[RawRow], *, in_first_reading: bool) -> None:
        """Add rows that are new or have new content."""
        times = times_of(rows)
        if in_first_reading and self._server.date_filter is DateFilter.UNDECIDED:
            self.border.add(rows, times)
        bounds = times.bounds() if times else None
        if bounds is not None and not self._may_show_filter(*bounds):
            self._add_created(bounds[0])
            self._add_created(bounds[1])
            self._add_clock(times)
            return
        for row in rows:
            created, updated = instant(row, "createdAt"), instant(row, "updatedAt")
            if created is not None:
                self._add_created(created)
                if updated is not None and (self._widest_day is None or updated - created > self._widest):
                    self._widest, self._widest_day = updated - created, created.date()
            learn(self._server, self._window, created, updated)

    def _may_show_filter(
        self, created: datetime, last_created: datetime, updated: datetime, last_updated: datetime
    ) -> bool:
        """Whether a row whose times lie within these bounds may show what the range filters."""
        return last_updated - created >= max(self._widest, LATE_CHANGE) or any(
            outside(self._window, at) for at in (created, last_created, updated, last_updated)
        )

    def _add_clock(self, times: Times | None) -> None:
        if times is not None and (latest := max(times.created, key=_time_of_day))[11:] > self._latest:
            with suppress(ValueError):  # it only looks like a time
                self.latest_clock = datetime.fromisoformat(latest)
                self._latest = latest[11:]

    def _add_created(self, at: datetime) -> None:
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)


class DayBorder:
    """Rows created right before and changed right after a moment at which a day may begin.

    In every zone, days begin on a quarter of an hour of UTC. Say the first row that a range from day D on lists was
    changed at 00:01:33. If the range filters `updatedAt`, D begins at 00:00 or at an earlier quarter. Then a row
    created at 23:59:50 and changed at 00:01:20 is in the range too. If it is not, the range filters `createdAt`.
    Which row is the first is known only of a listing that was seen to be in order of one of its times. Of other
    listings nothing is found out, nor where rows are few and far between.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._day: date | None = None
        self._rising = True
        self._in_order = [True, True]  # by createdAt, by updatedAt
        self._last = ["", ""]
        self._near = "", ""  # the times of creation that may be right before the day's beginning
        self._across: dict[datetime, tuple[datetime, datetime, str]] = {}  # changed, created, id by quarter

    def add(self, rows: list[RawRow], times: Times | None) -> None:
        """Add the next rows of the first reading. `times` are theirs, None where one is unusual."""
        if times is None or not rows:
            self._in_order = [False, False] if times is None else self._in_order
            return
        if self._day is None:
            self._begin(rows)
        for which, column in enumerate((times.created, times.updated)):
            if self._in_order[which]:
                joined = [self._last[which] or column[0], *column]
                self._in_order[which] = all(map(le if self._rising else ge, joined, joined[1:]))
                self._last[which] = column[-1]
        low, high = self._near
        if not any(self._in_order) or max(times.created) < low or min(times.created) > high:
            return
        for row, created, updated in zip(rows, times.created, times.updated, strict=True):
            identity = row_id(row)
            if low <= created < updated and created <= high and identity is not None:
                at, changed = instant(row, "createdAt"), instant(row, "updatedAt")
                if at is not None and changed is not None and at < (quarter := _quarter(changed)):
                    found = (changed, at, identity)
                    self._across[quarter] = min(found, self._across.get(quarter, found))

    def _begin(self, rows: list[RawRow]) -> None:
        first, last = instant(rows[0], "createdAt"), instant(rows[-1], "createdAt")
        if first is None or last is None:
            self._in_order = [False, False]
            return
        self._rising = first <= last
        day = first.date()
        if outside(self._window, first):
            self._in_order = [False, False]
            return
        day = (
            max(day, self._window.from_date) + _DAY if self._rising else min(day, self._window.to_date - _DAY)
        )
        self._day = day
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        self._near = (midnight - _WIDEST_ZONE).isoformat(), (midnight + _WIDEST_ZONE).isoformat()

    def shows_created(
        self,
        ask: Callable[[Window, int], list[RawRow]],
        changed_at: Callable[[str], datetime | None],
        pages: int,
    ) -> bool:
        """Whether a few requests show that a range of days filters `createdAt`; False: not known.

        `ask` gives a page of a window, `changed_at` the `updatedAt` of a transaction by its id; `pages`
        are the pages of the whole window.
        """
        if self._day is None or not any(self._in_order) or not self._across:
            return False
        if not self._window.from_date < self._day < self._window.to_date:
            return False
        window = Window(self._day, self._day + _DAY)
        rows = ask(window, 1) if self._rising else _last_page(lambda number: ask(window, number), pages)
        times = [(instant(row, "createdAt"), instant(row, "updatedAt")) for row in rows]
        created = [at for at, _ in times if at is not None]
        updated = [at for _, at in times if at is not None]
        if not rows or len(created) + len(updated) < 2 * len(rows):
            return False
        found = self._across.get(_quarter(min(updated)))
        if found is None:
            return False
        changed, at, identity = found
        # It would stand before all of these, in either order of time; and it has not changed since.
        return at < min(created) and changed < min(updated) and changed_at(identity) == changed


def _last_page(ask: Callable[[int], list[RawRow]], pages: int) -> list[RawRow]:
    """The rows of the last page, found by bisection; none where it moved meanwhile."""
    low, high = 1, 2  # of page `low` it is known, or supposed, that it holds rows
    while ask(high):
        low, high = high, high * 2
        if low > pages:
            return []
    while high - low > 1:
        middle = (low + high) // 2
        if ask(middle):
            low = middle
        else:
            high = middle
    rows = ask(low)
    is_still_last = not ask(low + 1) and [row_id(row) for row in ask(low)] == [row_id(row) for row in rows]
    return rows if is_still_last else []


def _quarter(at: datetime) -> datetime:
    """The quarter of an hour that an instant lies in."""
    return at - (at - _EPOCH) % _QUARTER
