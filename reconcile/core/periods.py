"""Which days can be asked for, and which day is the last that is over."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reconcile.core.errors import UsageError
from reconcile.core.records import Period

EARLIEST = date(2000, 1, 1)
"""No period begins before it; KS Pay is much younger."""


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
