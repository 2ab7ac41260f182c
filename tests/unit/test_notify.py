"""Addresses of channels: what is wrong is named, and nothing of them reaches a log."""

import csv
import io
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.errors import InputRefused, Stopped, TimeIsUp, UsageError
from reconcile.core.money import Currencies
from reconcile.core.occasions import read_occasions
from reconcile.core.progress import silent
from reconcile.notify import Channels, Message, telling, telling_failures
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


def test_the_largest_are_of_every_currency_in_turn(tmp_path: Path) -> None:
    columns = [column.name for column in FILES["discrepancies.csv"]]
    rows = [("INR", str(amount), "high") for amount in range(10, 18)]
    rows += [("USD", "999999", "medium"), ("INR", "5000", "info")]
    with (tmp_path / "discrepancies.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        for currency, amount, severity in rows:
            writer.writerow(
                {
                    "type": "MISSING_IN_LEDGER",
                    "severity": severity,
                    "age_days": "1",
                    "currency": currency,
                    "kspay_amount": amount,
                    "difference": amount,
                }
            )
    found = [(item.currency, item.amount) for item in largest_at_risk(tmp_path, 3)]
    assert found == [("INR", Decimal(17)), ("INR", Decimal(16)), ("USD", Decimal(999999))]
