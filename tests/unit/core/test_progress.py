"""Pace and time left, by a clock of the test's own."""

from reconcile.core.progress import Pace


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
