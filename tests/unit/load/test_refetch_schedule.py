"""Every covered day is read again within a week, whatever nights are missed."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.records import Period
from reconcile.load.refetch_schedule import days_to_refetch, turns_since

AS_OF = date(2026, 8, 31)
DAY = timedelta(days=1)


def days_of(periods: list[Period]) -> set[date]:
    return {p.first + DAY * n for p in periods for n in range((p.last - p.first).days + 1)}


@given(
    reread_days=st.integers(0, 200),
    missed=st.frozensets(st.integers(1, 6)),
    start=st.integers(0, 400),
    covered_first=st.integers(0, 300),
)
def test_a_week_of_nights_reads_every_covered_day(
    reread_days: int, missed: frozenset[int], start: int, covered_first: int
) -> None:
    first_night = AS_OF + DAY * start
    covered = [Period(first_night - DAY * (7 + covered_first), first_night + DAY * 7)]
    last, read = first_night - DAY, set[date]()
    for night in range(7):
        if night in missed and night != 6:
            continue
        as_of = first_night + DAY * night
        read |= days_of(
            days_to_refetch(covered, reread_days, as_of - 6 * DAY, as_of, turns_since(last, as_of))
        )
        last = as_of
    # What is re-read every night: days that are old enough on the first night and young enough on the last.
    lasting = {
        first_night - DAY * age
        for age in range(7, reread_days - 7)
        if first_night - DAY * age >= covered[0].first
    }
    assert lasting <= read


def test_a_night_reads_about_a_seventh_in_few_windows() -> None:
    covered = [Period(date(2026, 1, 1), AS_OF)]
    before = AS_OF - 9 * DAY
    for night in range(7):
        as_of = AS_OF + DAY * night
        found = days_to_refetch(covered, 90, before, as_of, turns_since(as_of - DAY, as_of))
        assert len(found) <= 2
        assert len(days_of(found)) <= 13


def test_days_that_no_run_covered_are_not_read_again() -> None:
    covered = [Period(date(2026, 8, 1), date(2026, 8, 3))]
    assert days_of(days_to_refetch(covered, 90, AS_OF, AS_OF, turns_since(None, AS_OF))) == {
        date(2026, 8, 1),
        date(2026, 8, 2),
        date(2026, 8, 3),
    }


def test_nothing_is_read_again_where_the_setting_is_zero() -> None:
    covered = [Period(date(2026, 8, 1), AS_OF)]
    assert days_to_refetch(covered, 0, AS_OF, AS_OF, turns_since(None, AS_OF)) == []


def test_missed_nights_are_made_up_for() -> None:
    assert turns_since(AS_OF - DAY, AS_OF) == {AS_OF.toordinal() % 7}
    assert len(turns_since(AS_OF - 3 * DAY, AS_OF)) == 3
    assert len(turns_since(AS_OF - 30 * DAY, AS_OF)) == 7
    assert len(turns_since(AS_OF + DAY, AS_OF)) == 1
