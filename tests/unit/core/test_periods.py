"""Business days and the UTC days that cover them; the one place in Python that turns one into the other."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.periods import kind, last_closed_day, month_before
from reconcile.core.records import Period

ZONES = ("Asia/Kolkata", "UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu")


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Asia/Kolkata", date(2026, 7, 31), date(2026, 8, 31)),
        ("UTC", date(2026, 8, 1), date(2026, 8, 31)),
        ("America/New_York", date(2026, 8, 1), date(2026, 9, 1)),
        ("Pacific/Kiritimati", date(2026, 7, 31), date(2026, 8, 31)),
    ],
)
def test_the_utc_days_of_a_month(zone: str, first: date, last: date) -> None:
    august = Period(date(2026, 8, 1), date(2026, 8, 31))
    assert august.utc_days(ZoneInfo(zone)) == Period(first, last)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    first=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    days=st.integers(0, 400),
    instant=st.datetimes(datetime(2000, 1, 1), datetime(2102, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_instant_of_the_period_lies_on_one_of_its_utc_days(
    zone: ZoneInfo, first: date, days: int, instant: datetime
) -> None:
    period = Period(first, first + timedelta(days=days))
    utc = period.utc_days(zone)
    if period.first <= instant.astimezone(zone).date() <= period.last:
        assert utc.first <= instant.date() <= utc.last
    assert (utc.last - utc.first).days <= days + 1  # at most one day more


@pytest.mark.parametrize(
    ("zone", "now", "day"),
    [
        ("Asia/Kolkata", "2026-11-23T01:00+00:00", date(2026, 11, 22)),
        ("Asia/Kolkata", "2026-11-22T23:59+00:00", date(2026, 11, 21)),
        ("UTC", "2026-11-23T00:00+00:00", date(2026, 11, 22)),
        ("America/New_York", "2026-11-23T11:30+00:00", date(2026, 11, 21)),
        ("Pacific/Kiritimati", "2026-11-23T20:00+00:00", date(2026, 11, 22)),
    ],
)
def test_the_last_business_day_that_is_over_in_utc_too(zone: str, now: str, day: date) -> None:
    assert last_closed_day(datetime.fromisoformat(now), ZoneInfo(zone)) == day


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_it_ended_by_midnight_and_the_next_one_did_not(zone: ZoneInfo, now: datetime) -> None:
    day = last_closed_day(now, zone)
    midnight = datetime.combine(now.date(), time(), UTC)

    def end(of: date) -> datetime:
        return datetime.combine(of + timedelta(days=1), time(), zone).astimezone(UTC)

    assert end(day) <= midnight < end(day + timedelta(days=1))


def test_a_period_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot start"):
        Period(date(2026, 8, 2), date(2026, 8, 1))


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ("2026-08-01", "2026-08-31", "month"), ("2026-02-01", "2026-02-28", "month"),
        ("2026-12-01", "2026-12-31", "month"),
        ("2025-12-01", "2026-02-28", "3 months"), ("2026-08-25", "2026-08-31", "nights"),
        ("2026-08-31", "2026-08-31", "nights"), ("2026-08-01", "2026-08-30", "nights"),
        ("2026-07-02", "2026-08-01", "nights"), ("2026-07-01", "2026-08-01", "longer"),
    ],
)  # fmt: skip
def test_the_kind_of_a_period(first: str, last: str, wanted: str) -> None:
    assert kind(Period(date.fromisoformat(first), date.fromisoformat(last))) == wanted


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        ("2026-08-15", "2026-07-15"), ("2026-08-31", "2026-07-31"), ("2026-07-31", "2026-06-30"),
        ("2026-06-30", "2026-05-31"), ("2026-03-30", "2026-02-28"), ("2026-01-07", "2025-12-07"),
    ],
)  # fmt: skip
def test_the_same_day_of_the_month_before(day: str, wanted: str) -> None:
    assert month_before(date.fromisoformat(day)) == date.fromisoformat(wanted)
