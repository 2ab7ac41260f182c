"""Which dates to ask for, so that a period is covered whatever KS Pay means by its dates. Pure.

Fetch All Transactions takes `fromDate` and `toDate` (`YYYY-MM-DD`). Its rules (integration guide
1.0.0): at most 90 days (error 11006), `fromDate` earlier than `toDate` (11007), neither after the
server's today (11009, 11011). What it leaves open, and how a plan copes:

- whether 90 days counts both ends: `toDate` is at most 89 days after `fromDate`;
- whether `toDate` includes its day or means its midnight: a window relies only on the days before its
  `toDate`, so each window starts on the day on which the one before it ended, and that day is asked
  for twice;
- in which zone its days are cut: a day more is asked for at each end of the period.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from reconcile.core.records import Period

MAX_DAYS = 90
"""The longest range that KS Pay accepts (error 11006)."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One range to ask for: the values of `fromDate` and `toDate`, the first earlier than the second."""

    from_date: date
    to_date: date

    def __str__(self) -> str:
        return f"{self.from_date}..{self.to_date}"


def plan(days: Period, today: date, first_accepted: date | None = None) -> list[Window]:
    """The windows, earliest first, that together hold every record of these UTC days.

    `today` is the server's; nothing is asked beyond it, so a period that lies after it gives no
    window. `first_accepted` is the earliest `fromDate` that the server takes, where known.
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
        stop = min(start + (MAX_DAYS - 1) * _DAY, end)
        windows.append(Window(start, stop))
        start = stop
    return windows
