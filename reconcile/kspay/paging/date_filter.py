"""Which time Fetch All Transactions' date range filters, `createdAt` or `updatedAt`: the guide says nothing.

Rows do not leave a window whose range filters `createdAt`, so there a count proves that nothing is missing;
where they may leave, readings must agree (see paging). So it pays to know, and three things tell:

- A row whose creation or last change lies outside the window that lists it, whatever the zone.
- One probe: the days around the creation of a row that changed days later (`KSPay._probe_filter`).
- Where all rows changed soon after their creation: the beginning of one day (`Border`).
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from operator import ge, le

from reconcile.core.records import RawRow
from reconcile.kspay.paging.listing import Times, instant, row_id
from reconcile.kspay.paging.windows import Window

TELLING_GAP = timedelta(days=4)
"""A row that changed so long after its creation can be asked for without the day of its change."""

_DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
_WIDEST_ZONE = timedelta(hours=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Filter(StrEnum):
    """Which time the server's date range filters, as far as rows have shown it."""

    UNDECIDED = "undecided"
    CREATED = "createdAt"
    UPDATED = "updatedAt"


class Evidence:
    """What answers have shown about the server, over all windows of a client."""

    def __init__(self) -> None:
        self.filter = Filter.UNDECIDED
        self.page_ignored: bool | None = None
        """Whether every page of a listing is its first one; None: not seen yet."""

    def take(self, window: Window, created: datetime | None, updated: datetime | None) -> None:
        """Learn from a row that `window` was answered with."""
        if created is None or updated is None or self.filter is Filter.CREATED:
            return
        if outside(window, updated):
            self.filter = Filter.CREATED
        elif outside(window, created):
            self.filter = Filter.UPDATED


def outside(window: Window, at: datetime) -> bool:
    """Whether an instant lies outside the window whatever the zone that its days are cut in."""
    return not window.from_date - _DAY <= at.date() <= window.to_date + _DAY


class Border:
    """Rows created right before and changed right after a moment at which a day may begin.

    Days begin on a quarter of an hour of UTC, in every zone there is. Say the first row that a range from
    day D on lists was changed at 00:01:33. If the range filters `updatedAt`, D begins at 00:00 or at an
    earlier quarter, so a row created at 23:59:50 and changed at 00:01:20 is in the range too. If it is not,
    the range filters `createdAt`. Where the first row stands is known only of a listing that was seen
    to be in order of one of its times, so of others nothing is said; nor where rows are few and far between.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._day: date | None = None
        self._rising = True
        self._in_order = [True, True]  # by createdAt, by updatedAt
        self._last = ["", ""]
        self._near = "", ""  # the times of creation that may be right before the day's beginning
        self._across: dict[datetime, tuple[datetime, datetime, str]] = {}  # changed, created, id by quarter

    def note(self, rows: list[RawRow], times: Times | None) -> None:
        """Take in the next rows of the first reading."""
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

    def filters_creation(
        self,
        ask: Callable[[Window, int], list[RawRow]],
        changed_at: Callable[[str], datetime | None],
        pages: int,
    ) -> bool:
        """Whether a range of days, by a few requests, is seen to filter `createdAt`; False: not known.

        `ask` gives a page of a window, `changed_at` the `updatedAt` of a transaction by its id; `pages`
        are the pages of the whole window.
        """
        if self._day is None or not any(self._in_order) or not self._across:
            return False
        if not self._window.from_date < self._day < self._window.to_date:
            return False
        window = Window(self._day, self._day + _DAY)
        rows = ask(window, 1) if self._rising else self._last_rows(lambda number: ask(window, number), pages)
        times = [(instant(row, "createdAt"), instant(row, "updatedAt")) for row in rows]
        created = [at for at, _ in times if at is not None]
        updated = [at for _, at in times if at is not None]
        if not rows or len(created) + len(updated) < 2 * len(rows):
            return False
        found = self._across.get(_quarter(min(updated)))
        if found is None:
            return False
        changed, at, identity = found
        # It would stand before all of these, in either order of time; and it is still as it was.
        return at < min(created) and changed < min(updated) and changed_at(identity) == changed

    @staticmethod
    def _last_rows(ask: Callable[[int], list[RawRow]], pages: int) -> list[RawRow]:
        """The rows of the last page; none where it moved meanwhile."""
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
        still = not ask(low + 1) and [row_id(row) for row in ask(low)] == [row_id(row) for row in rows]
        return rows if still else []


def _quarter(at: datetime) -> datetime:
    """The quarter of an hour that an instant lies in."""
    return at - (at - _EPOCH) % _QUARTER
