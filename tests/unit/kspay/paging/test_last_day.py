"""How far a date range reaches, as its rows show."""

from datetime import UTC, datetime, timedelta

from reconcile.kspay.paging.last_day import LastDay, midnight
from reconcile.kspay.paging.windows import Window

DAY = timedelta(days=1)


def today() -> datetime:
    """When the present day began. Asked for by each test, since midnight may come after this file is read."""
    return midnight(datetime.now(UTC).date())


def test_how_far_a_range_reaches_is_what_rows_have_shown() -> None:
    last = today().date()
    last_day = LastDay(last)
    assert last_day.listed_until == today() - timedelta(hours=14)
    assert not last_day.covers(today())
    # Of another day of the year the zone's hour may be another one.
    last_day.add(Window(last - 9 * DAY, last - 5 * DAY), today() - 5 * DAY - timedelta(minutes=10))
    assert last_day.listed_until == today() - timedelta(minutes=70)
    last_day.add(Window(last - 5 * DAY, last), today() - timedelta(minutes=10))
    assert last_day.covers(today()), "days begin on a quarter of an hour"
    last_day.add(Window(last - 9 * DAY, last - 5 * DAY), None)
    assert last_day.listed_until == today() - timedelta(minutes=10)
