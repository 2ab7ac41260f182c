"""How far a date range reaches, as its rows show."""

from datetime import UTC, datetime, timedelta

from reconcile.kspay.paging.last_day import LastDay, midnight
from reconcile.kspay.paging.windows import Window

DAY = timedelta(days=1)
TODAY = midnight(datetime.now(UTC).date())


def test_how_far_a_range_reaches_is_what_rows_have_shown() -> None:
    last = TODAY.date()
    last_day = LastDay(last)
    assert last_day.listed_until == TODAY - timedelta(hours=14)
    assert not last_day.covers(TODAY)
    # Of another day of the year the zone's hour may be another one.
    last_day.add(Window(last - 9 * DAY, last - 5 * DAY), TODAY - 5 * DAY - timedelta(minutes=10))
    assert last_day.listed_until == TODAY - timedelta(minutes=70)
    last_day.add(Window(last - 5 * DAY, last), TODAY - timedelta(minutes=10))
    assert last_day.covers(TODAY), "days begin on a quarter of an hour"
    last_day.add(Window(last - 9 * DAY, last - 5 * DAY), None)
    assert last_day.listed_until == TODAY - timedelta(minutes=10)
