"""Which runs a run is compared with, and what is open at a glance."""

from datetime import date
from types import SimpleNamespace
from typing import Any

from reconcile.core.discrepancies import TYPES, parts_of
from reconcile.core.records import Period
from reconcile.report.figures import comparable_runs, compared, glance, parts


def run(first: str, last: str) -> Any:
    return SimpleNamespace(first=date.fromisoformat(first), last=date.fromisoformat(last))


def test_nights_are_compared_with_nights_and_months_with_months() -> None:
    nights = [run(f"2026-08-{day:02}", f"2026-08-{day + 6:02}") for day in (20, 13, 1)]
    nights += [
        run("2026-07-14", "2026-07-20"),
        run("2026-07-13", "2026-07-19"),
        run("2026-07-21", "2026-07-27"),
    ]
    months = [
        run("2026-08-01", "2026-08-31"),
        run("2026-07-01", "2026-07-31"),
        run("2026-06-01", "2026-06-30"),
    ]
    before = sorted([*nights, *months], key=lambda one: one.last, reverse=True)
    newest_first = sorted(nights, key=lambda one: one.last, reverse=True)

    # 26 July has no run: the newest of the days before it is taken, and none of later days.
    night = Period(date(2026, 8, 21), date(2026, 8, 26))
    alike, of_month = comparable_runs(before, night)
    assert alike == newest_first
    assert of_month == [nights[3]]
    # August again: the last of its kind is the run of August, and the month before is July.
    alike, of_month = comparable_runs(before, Period(date(2026, 8, 1), date(2026, 8, 31)))
    assert alike == months
    assert of_month == [months[1]]
    assert comparable_runs(before, Period(date(2026, 5, 1), date(2026, 8, 31))) == ([], [])


def test_what_both_comparisons_are_is_shown_once() -> None:
    july, august = {"run_id": "july"}, {"run_id": "august"}
    assert compared({"last": august, "month_before": july}) == [("last run", august), ("month before", july)]
    assert compared({"last": july, "month_before": july}) == [("month before", july)]
    assert compared({"last": july, "month_before": None}) == [("last run", july)]
    assert compared({}) == []


def test_a_run_of_an_older_version_tells_severities_only() -> None:
    rows = [
        {"severity": severity, "currency": currency, "count": 2, "amount": amount, "app_id": app}
        for severity, currency, amount, app in (
            ("high", "INR", "1.10", "a"), ("high", "INR", "2.20", "b"), ("high", "USD", "5.00", "a"),
            ("medium", "INR", "1.00", "a"), ("low", "INR", "0.50", "a"), ("info", "KWD", "0.001", "a"),
        )
    ]  # fmt: skip
    assert [(row["part"], row["currency"], row["count"], row["amount"]) for row in parts({"open": rows})] == [
        ("at_risk", "INR", 4, "3.30"),
        ("at_risk", "USD", 2, "5.00"),
        ("to_check", "INR", 4, "1.50"),
        ("timing", "KWD", 2, "0.001"),
    ]
    assert glance({"open": rows}) == {
        "at_risk": (6, "INR 3.30; USD 5.00"),
        "to_check": (4, "INR 1.50"),
        "timing": (2, "KWD 0.001"),
        "in_quarantine": (0, ""),
    }
    assert parts({"open": [{"count": 1, "amount": "1", "currency": "INR"}]}) == []


def test_a_second_payment_that_was_given_back_asks_nobody_to_give_it_back() -> None:
    duplicate = TYPES["DUPLICATE_IN_KSPAY"]
    assert duplicate.to_do("high") == "Give the second payment back."
    assert duplicate.to_do("info") == "Nothing: it was given back."
    assert parts_of("DUPLICATE_IN_KSPAY", "high") == ("at_risk",)
    assert parts_of("DUPLICATE_IN_KSPAY", "info") == ()
    assert parts_of("TIMING_DIFFERENCE", "info") == ("timing",)
    assert TYPES["TIMING_DIFFERENCE"].to_do("info") == "Wait for the other side."
    # A type with a severity of its own for refunded ones has a next step for them too.
    assert all(bool(one.severity_of_refunded) == bool(one.next_step_of_refunded) for one in TYPES.values())
