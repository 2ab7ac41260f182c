"""What progress says of pace and time left, by a clock of the test's own."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from reconcile.core.records import Place, RawRow
from reconcile.kspay import Page
from reconcile.kspay.paging.windows import Window
from reconcile.load.fetch import DaysRead

WINDOW = Window(date(2026, 3, 1), date(2026, 3, 11))


def page(number: int, *hours: int, window: Window = WINDOW, window_number: int = 1, windows: int = 1) -> Page:
    start = datetime(2026, 3, 1)  # noqa: DTZ001  the Z is written below
    rows = [
        RawRow(Place("page", row), {"createdAt": f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S.000Z}"})
        for row, hour in enumerate(hours, 1)
    ]
    return Page(rows, window, number, window_number, windows, number * len(rows))


@pytest.mark.parametrize("hours", [(0, 24, 48, 120, 240), (240, 216, 192, 120, 0)])
def test_days_read_either_way(hours: tuple[int, ...]) -> None:
    read = DaysRead()
    pairs = pairwise(hours)
    parts = [read.part(page(number, *pair)) for number, pair in enumerate(pairs, 1)]
    assert parts == pytest.approx([0.1, 0.2, 0.5, 1.0])


def test_windows_count_and_the_next_begins_anew() -> None:
    read = DaysRead()
    second = Window(date(2026, 3, 11), date(2026, 3, 21))
    assert read.part(page(1, 0, 24, windows=2)) == pytest.approx(0.05)
    assert read.part(page(1, 240, 264, window=second, window_number=2, windows=2)) == pytest.approx(0.55)


def test_a_listing_in_no_order_says_nothing_of_its_days() -> None:
    read = DaysRead()
    assert read.part(page(1, 0, 24)) == pytest.approx(0.1)
    assert [read.part(page(number, hour)) for number, hour in ((2, 100), (3, 7), (4, 200))] == [
        pytest.approx(100 / 240),
        0.0,
        0.0,
    ]
    assert DaysRead().part(page(1, 0, 200)) == 0.0


def test_rows_without_a_time_say_nothing() -> None:
    rows = [RawRow(Place("page", 1), {"createdAt": None})]
    assert DaysRead().part(Page(rows, WINDOW, 1, 1, 2, 1)) == 0.0
