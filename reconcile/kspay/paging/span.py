"""What the times of a window's rows tell: of the window, and of what its range filters."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from operator import itemgetter

from reconcile.core.records import RawRow
from reconcile.kspay.paging.date_filter import TELLING_GAP, Border, Evidence, Filter, outside
from reconcile.kspay.paging.listing import Times, instant, times_of
from reconcile.kspay.paging.windows import Window

_clock = itemgetter(slice(11, None))  # of a time as text


class Span:
    """The times seen in one window."""

    def __init__(self, window: Window, evidence: Evidence) -> None:
        self._window = window
        self._evidence = evidence
        self._widest = timedelta()  # from the creation of a row to its last change …
        self._widest_day: date | None = None  # … and the day of that creation
        self.border = Border(window)
        self.first_at: datetime | None = None
        """The earliest `createdAt`, aware, UTC; None where no row has one."""
        self.last_at: datetime | None = None
        self.latest_clock: datetime | None = None
        """A `createdAt` of the latest time of day, of the rows that are as KS Pay writes them."""
        self._latest = ""

    @property
    def telling_day(self) -> date | None:
        """The day on which a row was created that changed so late that a probe can tell the filter."""
        return self._widest_day if self._widest >= TELLING_GAP else None

    def learn(self, rows: list[RawRow], *, in_first_reading: bool) -> None:
        """Take in rows that were not known."""
        times = times_of(rows)
        if in_first_reading and self._evidence.filter is Filter.UNDECIDED:
            self.border.note(rows, times)
        bounds = times.bounds() if times else None
        if bounds is not None and not self._telling(*bounds):
            self._note_created(bounds[0])
            self._note_created(bounds[1])
            self._note_clock(times)
            return
        for row in rows:
            created, updated = instant(row, "createdAt"), instant(row, "updatedAt")
            if created is not None:
                self._note_created(created)
                if updated is not None and (self._widest_day is None or updated - created > self._widest):
                    self._widest, self._widest_day = updated - created, created.date()
            self._evidence.take(self._window, created, updated)

    def _telling(
        self, created: datetime, last_created: datetime, updated: datetime, last_updated: datetime
    ) -> bool:
        """Whether a row whose times lie within these bounds may tell anything of the filter."""
        return last_updated - created >= max(self._widest, TELLING_GAP) or any(
            outside(self._window, at) for at in (created, last_created, updated, last_updated)
        )

    def _note_clock(self, times: Times | None) -> None:
        if times is not None and (latest := max(times.created, key=_clock))[11:] > self._latest:
            with suppress(ValueError):  # it only looks like a time
                self.latest_clock = datetime.fromisoformat(latest)
                self._latest = latest[11:]

    def _note_created(self, at: datetime) -> None:
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)
