"""How dates are written: proven by a column, read back exactly, never guessed."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.ledger.dates import DateStyle, decide

FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d/%m/%Y 23:59:59",
    "%m/%d/%Y 11:05 PM",
)


@given(
    days=st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=30),
    pattern=st.sampled_from(FORMATS),
)
@settings(deadline=None)
def test_a_column_of_dates_is_read_back_or_not_at_all(days: list[date], pattern: str) -> None:
    texts = [day.strftime(pattern) for day in days]
    column = decide(Counter(texts))
    for day, text in zip(days, texts, strict=True):
        if text in column.unclear:
            with pytest.raises(ValueError, match="may be"):
                column.style.read(text)
        else:
            assert column.style.read(text) == (day, None)


@given(
    days=st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=9),
    pattern=st.sampled_from(FORMATS),
)
@settings(deadline=None)
def test_one_day_after_the_twelfth_decides_for_all(days: list[date], pattern: str) -> None:
    days = [*days, date(2026, 8, 13), date(2026, 8, 28)]
    column = decide(Counter(day.strftime(pattern) for day in days))
    assert not column.unclear
    assert [column.style.read(day.strftime(pattern))[0] for day in days] == days


def test_a_format_of_the_profile_reads_times_of_day_and_iso_too() -> None:
    style = DateStyle(format="%d/%m/%Y")
    for text in ("03/04/2026", "03/04/2026 23:10", "2026-04-03"):
        assert style.read(text) == (date(2026, 4, 3), None)
    with pytest.raises(ValueError, match="does not fit"):
        style.read("04/13/2026")
