"""Addresses of channels: what is wrong is named, and nothing of them reaches a log."""

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.errors import InputRefused, Stopped, TimeIsUp, UsageError
from reconcile.core.money import Currencies
from reconcile.core.occasions import read_occasions
from reconcile.core.periods import kind
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.notify import Channels, Message, of_run, telling, telling_failures
from reconcile.pipeline import Finished
from reconcile.report.columns import FILES
from reconcile.report.html import largest_at_risk
from reconcile.settings import Settings


def test_a_time_limit_is_told_and_a_stop_by_hand_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Message] = []

    def send(_: Channels, message: Message) -> list[Any]:
        sent.append(message)
        return []

    monkeypatch.setattr(Channels, "send", send)
    for error in (
        TimeIsUp(8),
        TimeIsUp(8, "1 of 2 months stand"),
        Stopped(15),
        InputRefused("no such column"),
    ):
        with pytest.raises(type(error)), telling_failures(Settings(), silent, "backfill"):
            raise error
    with pytest.raises(TimeIsUp):
        telling(Settings(), silent, lambda: (_ for _ in ()).throw(TimeIsUp(8)))
    lines = [(message.subject, message.text.split("\n")[0]) for message in sent]
    assert lines == [
        ("backfill failed", "stopped after 8 hours, its time limit; nothing was reported"),
        ("backfill failed", "stopped after 8 hours, its time limit; 1 of 2 months stand"),
        ("backfill failed", "no such column"),
        ("Reconciliation failed", "stopped after 8 hours, its time limit; nothing was reported"),
    ]
    assert ["Nothing was reported." in message.text for message in sent] == [False, False, False, True]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("mailto://night:hunter2@", "address 1 of 1 (mailto) is none that Apprise knows"),
        ("hunter2", "address 1 of 1 (no kind) is none"),
        (
            "mailto://night:hunter2@mail.example?to=a@b.c",
            "names a receiver that is none",
        ),
    ],
)
def test_a_wrong_address_is_named_and_never_logged(address: str, says: str) -> None:
    """Prefect listens to the root of all logs."""
    heard = io.StringIO()
    listening = logging.StreamHandler(heard)
    logging.getLogger().addHandler(listening)
    try:
        with pytest.raises(UsageError, match=r"RECONCILE_NOTIFY") as refused:
            Channels(Settings(notify=(address,)))
    finally:
        logging.getLogger().removeHandler(listening)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value) + heard.getvalue()


def test_what_is_only_for_information_is_no_risk() -> None:
    """A payment that KS Pay took twice and gave back has a type of high severity, and is none."""
    report: dict[str, Any] = {
        "discrepancies": {"DUPLICATE_IN_KSPAY": 3},
        "open": [{"app_id": "a", "severity": "info", "currency": "INR", "count": 3, "amount": "300.00"}],
    }
    for text, come in (("high>0", False), ("INR>1", False), ("info>2", True), ("info>3", False)):
        [occasion] = read_occasions(text, Currencies())
        assert occasion.has_come(report) is come


def test_the_quarantine_has_grown() -> None:
    def parts(*counts: int) -> dict[str, Any]:
        return {
            "parts": [
                {"part": "at_risk", "count": 9},
                *({"part": "in_quarantine", "count": n} for n in counts),
            ]
        }

    [grown, grown_by_more] = read_occasions("quarantine_growth>0, Quarantine_Growth > 2", Currencies())
    for now, before, come in (
        ((3, 2), (3,), True),
        ((3,), (3,), False),
        ((), (3,), False),
        ((5,), None, False),
    ):
        report = {"at_a_glance": parts(*now) | {"last": None if before is None else parts(*before)}}
        assert grown.has_come(report) is come
        assert not grown_by_more.has_come(report)
    assert grown_by_more.has_come({"at_a_glance": parts(6) | {"last": parts(3)}})
    assert not grown.has_come({"at_a_glance": None})
    assert str(grown_by_more) == "quarantine_growth>2"


def test_nights_are_missing() -> None:
    [late] = read_occasions("Late", Currencies())
    assert str(late) == "late"
    for first, last, ended, come in (
        ("2026-08-30", "2026-08-29", "2026-09-01T01:00:00Z", True),
        ("2026-08-30", "2026-08-30", "2026-09-01T01:00:00Z", False),
        ("2026-08-30", "2026-08-31", "2026-09-01T01:00:00Z", False),  # once more
        ("2026-08-30", "2026-08-01", "2026-09-03T01:00:00Z", False),  # an older period, by hand
        ("2026-08-01", "2026-06-30", "2026-09-01T01:00:00Z", False),  # a month
        ("2026-08-30", None, "2026-09-01T01:00:00Z", False),
    ):
        period = Period(date.fromisoformat(first), date(2026, 8, 31))
        glance = {"kind": kind(period), "last": last and {"to": last}}
        assert late.has_come({"at_a_glance": glance, "to": "2026-08-31", "finished_at": ended}) is come
    assert not late.has_come({"to": "2026-08-31"})


def test_a_message_says_that_nights_are_missing(tmp_path: Path) -> None:
    write_open(tmp_path, [])
    report = {
        "run_id": "r", "from": "2026-08-30", "to": "2026-08-31", "timezone": "Asia/Kolkata", "open": [],
        "quarantined": {}, "new": 0, "cleared": 0, "warnings": [], "totals": [{"scope": "period", "count": 8}],
        "finished_at": "2026-09-01T01:00:00Z",
    }  # fmt: skip
    for last, says in (
        ("2026-08-28", "Late: the last night is as of 2026-08-28, so 2 nights before this one did not run."),
        ("2026-08-30", ""),
    ):
        glance = {"kind": "nights", "last": {"to": last, "parts": []}, "parts": []}
        told = of_run(Finished("r", tmp_path, report | {"at_a_glance": glance}, 0), Settings()).text
        assert [line for line in told.splitlines() if line.startswith("Late")] == ([says] if says else [])


def test_the_largest_are_of_every_currency_in_turn(tmp_path: Path) -> None:
    rows = [("INR", str(amount), "high") for amount in range(10, 18)]
    rows += [("USD", "999999", "medium"), ("INR", "5000", "info")]
    write_open(
        tmp_path, [{"currency": one, "kspay_amount": two, "severity": three} for one, two, three in rows]
    )
    found = [(item.currency, item.amount) for item in largest_at_risk(tmp_path, 3)]
    assert found == [("INR", Decimal(17)), ("INR", Decimal(16)), ("USD", Decimal(999999))]


def test_a_short_list_begins_with_the_currency_of_the_most(tmp_path: Path) -> None:
    """And not with the first in the alphabet: five others would leave it out."""
    others = [{"currency": code, "kspay_amount": "9.00"} for code in ("AED", "BHD", "CHF", "EUR", "GBP")]
    rupees = [{"currency": "INR", "kspay_amount": amount} for amount in ("7000", "8000")]
    info = [{"currency": "GBP", "kspay_amount": "1", "severity": "info"}] * 3
    write_open(tmp_path, [*others, *rupees, *info])
    found = [(item.currency, str(item)) for item in largest_at_risk(tmp_path, 5)]
    assert found == [("INR", "8,000"), ("AED", "9.00"), ("BHD", "9.00"), ("CHF", "9.00"), ("EUR", "9.00")]


def write_open(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    columns = [column.name for column in FILES["discrepancies.csv"]]
    with (folder / "discrepancies.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for row in rows:
            usual = {"type": "MISSING_IN_LEDGER", "severity": "high", "age_days": "1", "currency": "INR"}
            writer.writerow({**usual, **row})


def test_a_message_lists_what_is_overdue(tmp_path: Path) -> None:
    """Due before the last day of the period, the longest first; whatever day it is."""
    rows = [
        {"discrepancy_id": f"D-{number}", "due": f"2026-08-{number:02}", "kspay_amount": "1234567.50"}
        for number in (30, 31, 29, 1, 2, 3, 28)
    ]
    rows[3] |= {"assignee": '="1E5"', "detail": "Nobody booked it.", "currency": "", "kspay_amount": ""}
    write_open(tmp_path, [*rows, {"discrepancy_id": "D-none"}])
    report = {
        "run_id": "r", "from": "2026-08-01", "to": "2026-08-31", "timezone": "Asia/Kolkata", "open": [],
        "quarantined": {}, "new": 0, "cleared": 0, "warnings": [], "totals": [{"scope": "period", "count": 8}],
    }  # fmt: skip
    finished = Finished("r", tmp_path, report, 0)
    told = of_run(finished, Settings()).text.split("\n\n")[2].splitlines()
    assert told[0] == "Overdue: 6"
    assert told[1] == "- due 2026-08-01, 1E5: Nobody booked it. [D-1]"
    assert told[2] == "- due 2026-08-02, nobody: INR 12,34,567.50:  [D-2]"
    assert [line.rpartition("[")[2] for line in told[3:6]] == ["D-3]", "D-28]", "D-29]"]
    assert told[6:] == ["- and 1 more, on the page"]
    write_open(tmp_path, [])
    assert "Overdue" not in of_run(finished, Settings()).text
