"""Windows: which dates to ask for, so that a period is covered whatever KS Pay means by its dates.

Fetch All Transactions takes `fromDate` and `toDate` (`YYYY-MM-DD`). Its rules (integration guide 1.0.0): at most 90
days (error 11006), `fromDate` earlier than `toDate` (11007), neither after the server's today (11009, 11011). What
the guide leaves open, and how a plan copes:

- Does 90 days count both ends? `toDate` is at most 89 days after `fromDate`.
- Does `toDate` include its day, or does it mean its midnight? A window relies only on the days before its `toDate`.
  So each window starts on the day on which the one before it ended, and that day is asked for twice.
- In which zone are days cut? One day more is asked for at each end of the period.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from reconcile.core.records import Period

MAX_DAYS = 90
"""The longest range that KS Pay accepts (integration guide, error 11006)."""

LONGEST_WINDOW = timedelta(days=MAX_DAYS - 1)
"""The longest time from `fromDate` to `toDate`."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One range to ask for: the values of `fromDate` and `toDate`, the first earlier than the second."""

    from_date: date
    to_date: date

    def __str__(self) -> str:
        return f"{self.from_date}..{self.to_date}"


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """How a window was read, and why no row of it can be missing."""

    window: Window
    pages: int
    """Answers, the empty and the repeated ones included."""
    rows: int
    """Rows in all these answers."""
    distinct: int
    """Different ids; of rows without an id, different contents."""
    readings: int
    """How often the window was read from its first page on."""
    first_at: datetime | None
    """The earliest `createdAt`, aware, UTC; None where no row has one."""
    last_at: datetime | None
    """The latest `createdAt`."""
    total: int | None
    """Rows of the window as the server reports them; None where it does not."""
    proof: str
    """The name of the proof that the window is complete (see `proofs`)."""
    latest_clock: datetime | None = None
    """The `createdAt` with the latest time of day, of the rows whose times have KS Pay's usual form."""


def plan(days: Period, today: date, first_accepted: date | None = None) -> list[Window]:
    """The windows, earliest first, that together hold every record of these UTC days.

    `today` is the server's. No later day is asked for, so a period after it gives no window.
    `first_accepted` is the earliest `fromDate` that the server takes, where known.
    """
    if days.first > today:
        return []
    start = days.first - _DAY if days.first > date.min else days.first
    end = today if days.last >= today - _DAY else days.last + 2 * _DAY
    end = min(end, today)
    if first_accepted is not None:
        start = max(start, first_accepted)
    windows = []
    while start < end:
        stop = min(start + LONGEST_WINDOW, end)
        windows.append(Window(start, stop))
        start = stop
    return windows
