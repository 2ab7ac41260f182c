"""Sums by group are exact, whatever the number of digits, and rows without an amount are counted."""

from decimal import Decimal

from reconcile.report.frames import frame_of, totals

LONG = Decimal("123456789012345678901234567890.12")


def test_no_digit_of_a_sum_is_lost() -> None:
    rows = [("INR", "high", LONG), ("USD", "low", Decimal("0.10")), ("INR", "low", Decimal("0.01"))]
    frame = frame_of(rows, "currency", "severity", "amount")
    assert totals(frame, "currency") == {
        "INR": (2, Decimal("123456789012345678901234567890.13")),
        "USD": (1, Decimal("0.10")),
    }
    assert str(totals(frame, "currency")["USD"].amount) == "0.10"
    assert totals(frame, "severity", "currency")["high", "INR"] == (1, LONG)


def test_a_row_without_an_amount_is_counted() -> None:
    frame = frame_of([("INR", None), ("INR", LONG), ("", None)], "currency", "amount")
    assert totals(frame, "currency") == {"INR": (2, LONG), "": (1, 0)}


def test_of_no_row_there_is_no_total() -> None:
    assert totals(frame_of([], "currency", "amount"), "currency") == {}
