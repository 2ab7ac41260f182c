"""Windows: whatever the server means by its dates, every day of the period is covered."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.core.records import Period
from reconcile.kspay.paging.windows import MAX_DAYS, Window, plan

DAY = timedelta(days=1)
TODAY = date(2026, 11, 23)
days = st.dates(date(2014, 1, 1), date(2027, 12, 31))


def periods() -> st.SearchStrategy[Period]:
    lengths = st.integers(0, 4000) | st.integers(0, 200)
    return st.builds(lambda first, length: Period(first, first + length * DAY), days, lengths)


def covered(windows: list[Window], *, to_included: bool) -> set[date]:
    found = set()
    for window in windows:
        last = window.to_date if to_included else window.to_date - DAY
        found |= {window.from_date + n * DAY for n in range((last - window.from_date).days + 1)}
    return found


@given(periods(), days)
@example(Period(TODAY, TODAY), TODAY)
@example(Period(TODAY - 87 * DAY, TODAY - DAY), TODAY)
def test_windows_cover_the_period_and_break_no_rule(period: Period, today: date) -> None:
    windows = plan(period, today)
    for window in windows:
        assert window.from_date < window.to_date <= today
        assert (window.to_date - window.from_date).days + 1 <= MAX_DAYS
    for earlier, later in pairwise(windows):
        assert later.from_date == earlier.to_date
    wanted = {period.first + n * DAY for n in range((period.last - period.first).days + 1)}
    if period.first > today:
        assert windows == []
        return
    past = {day for day in wanted if day < today}
    assert past <= covered(windows, to_included=False)
    assert {day for day in wanted if day <= today} <= covered(windows, to_included=True)
    # A day more at each end, where there is one: the zone that the server's days are cut in is unknown.
    assert period.first - DAY in covered(windows, to_included=False)
    if period.last + DAY < today:
        assert period.last + DAY in covered(windows, to_included=False)


@given(periods(), days, days)
def test_nothing_before_the_first_accepted_day(period: Period, today: date, first: date) -> None:
    windows = plan(period, today, first)
    whole = covered(plan(period, today), to_included=False)
    assert covered(windows, to_included=False) == {day for day in whole if day >= first}


def test_today_alone_is_asked_for_from_yesterday() -> None:
    assert plan(Period(TODAY, TODAY), TODAY) == [Window(TODAY - DAY, TODAY)]
