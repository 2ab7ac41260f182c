"""Which days can be asked for, which day is the last that is over, and which periods are of one kind."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reconcile.core.errors import UsageError
from reconcile.core.records import Period

EARLIEST = date(2000, 1, 1)
"""No period begins before it; KS Pay is much younger."""

LATEST = date(9000, 12, 31)
"""The last day of "all days", with room for what is added to a day."""

_MOST_DAYS = 31

NIGHTS = "nights"
"""The kind of a period of any other days than whole months, at most `_MOST_DAYS`."""


def check_period(period: Period | None, timezone: ZoneInfo) -> None:
    """Raises UsageError for a period that has days in the future, counted in the business time zone."""
    today = datetime.now(timezone).date()
    if period is not None and period.first < EARLIEST:
        raise UsageError(f"--from {period.first} lies before {EARLIEST}, when nobody paid by KS Pay")
    if period is not None and period.last > today:
        which = f"--from {period.first}" if period.first > today else f"--to {period.last}"
        raise UsageError(f"{which} lies in the future: today is {today} in {timezone.key}")


def last_closed_day(now: datetime, timezone: ZoneInfo) -> date:
    """The last business day that ended by 00:00 UTC of today, so that KS Pay lets all of it be asked for."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return midnight.astimezone(timezone).date() - timedelta(days=1)


def end_of_day(day: date, timezone: ZoneInfo) -> datetime:
    """When a business day is over."""
    return datetime.combine(day + timedelta(days=1), time(), timezone)


def kind(period: Period) -> str:
    """What sort of run has this period, so that like is compared with like: whole months, nights, or a longer time.

    `month` or `3 months` are whole calendar months. `nights` are at most 31 other days: a run without dates reaches
    further back after a break, and is of the same kind still.
    """
    after = period.last + timedelta(days=1)
    if period.first.day == after.day == 1:
        months = 12 * (after.year - period.first.year) + after.month - period.first.month
        return "month" if months == 1 else f"{months} months"
    return NIGHTS if (period.last - period.first).days < _MOST_DAYS else "longer"


def month_before(day: date) -> date:
    """The same day of the month before; of a month's last day the last one, and the last one where it has none."""
    last_of_before = day.replace(day=1) - timedelta(days=1)
    is_last = (day + timedelta(days=1)).day == 1
    return last_of_before if is_last else last_of_before.replace(day=min(day.day, last_of_before.day))
