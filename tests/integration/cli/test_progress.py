"""What progress says of pace and time left, by a clock of the test's own."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from reconcile.core.progress import Pace
from reconcile.core.records import Period, Place, RawRow
from reconcile.kspay import Credentials, KSPay, Page
from reconcile.kspay.paging.windows import Window
from reconcile.load.fetch import DaysRead, _windows
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve

WINDOW = Window(date(2026, 3, 1), date(2026, 3, 11))


def page(number: int, *hours: int, window: Window = WINDOW, window_number: int = 1, windows: int = 1) -> Page:
    start = datetime(2026, 3, 1)  # noqa: DTZ001  the Z is written below
    rows = [
        RawRow(Place("page", row), {"createdAt": f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S.000Z}"})
        for row, hour in enumerate(hours, 1)
    ]
    return Page(rows, window, number, window_number, windows, number * len(rows))


def test_pace_and_time_left() -> None:
    now = 1000.0
    pace = Pace(lambda: now)
    assert pace.words(100, 0.0) == ""
    now += 2.9
    assert pace.words(300, 0.5) == ""
    now += 7.1
    assert pace.words(1100, 0.01) == ", 100 a second"
    assert pace.words(20_100, 0.1) == ", 2,000 a second, about 90 s left"
    assert pace.words(20_100, 0.05) == ", 2,000 a second, about 3 min left"
    now += 7190
    assert pace.words(7_200_100, 0.25) == ", 1,000 a second, about 6 h left"
    assert pace.words(7_200_100, 1.0) == ", 1,000 a second"


def test_what_was_done_before_the_first_word_is_no_pace() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    pace.words(50_000, 0.5)
    now = 10.0
    assert pace.words(51_000, 0.75) == ", 100 a second, about 10 s left"


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


def test_a_further_reading_is_shown_as_what_it_is() -> None:
    merchant = Merchant.made_up(3, date(2026, 4, 1), 3)
    said: list[tuple[str, float | None]] = []
    with (
        serve(merchant, behaviour=Behaviour(filters_by="updatedAt"), rows=1000) as sandbox,
        KSPay(
            Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
        ) as client,
    ):
        days = Period(merchant.first_day, merchant.last_day)
        pages = list(_windows(client, days, "ap_1", lambda _stage, doing, done: said.append((doing, done))))
    assert sum(map(len, pages)) == 1000
    assert client.windows_read[0].passes == 2
    further = [(words, done) for words, done in said if "window 1 of 1, reading 2 to be certain" in words]
    assert "page 5, 500 of 1,000 records again" in further[4][0]
    assert further[4][1] == pytest.approx(0.5)
    assert "1,000 of 1,000 records again" in further[-1][0]
