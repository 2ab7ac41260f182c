"""A server whose today is far behind the zone that its days are cut in: the last hours of a day cannot be asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand, keys

LAST = datetime.now(UTC).date() - timedelta(days=3)
BEHIND = Behaviour(zone="Pacific/Auckland", today_zone="Pacific/Niue")


@pytest.fixture
def merchant() -> Merchant:
    made_up = Merchant.made_up(3, LAST - timedelta(days=6), 7)
    rows = [row for row in made_up.transactions if row["id"] and row["createdAt"]]
    times = [f"{LAST}T{hour:02d}:30:00.000Z" for hour in (8, 10, 12, 17)]
    late = [row | {"createdAt": at, "updatedAt": at} for row, at in zip(rows, times, strict=False)]
    early = [row for row in rows[len(times) :] if row["createdAt"] < f"{LAST}T00"]
    return replace(made_up, transactions=early + late)


@contextmanager
def at(
    command: Command, merchant: Merchant, moment: datetime, behaviour: Behaviour = BEHIND
) -> Iterator[None]:
    """The merchant's server, its clock set to a moment."""
    ahead = (moment - datetime.now(UTC)).total_seconds()
    with serve(merchant, behaviour=replace(behaviour, clock_ahead=ahead)) as sandbox:
        command.settings |= keys(sandbox)
        yield


def night_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(2), UTC)


def test_hours_that_cannot_be_asked_for_yet_are_named_and_come_later(
    make_command: MakeCommand, merchant: Merchant
) -> None:
    command = make_command()
    merchant.write_ledger(command.folder / "ledger.csv")
    command.settings |= {"RECONCILE_TIMEZONE": "UTC", "RECONCILE_LEDGER": "ledger.csv"}
    days = ("--from", str(LAST - timedelta(days=6)), "--to", str(LAST))
    hidden = {row["id"] for row in merchant.transactions if row["createdAt"] > f"{LAST}T11"}
    assert len(hidden) == 2
    with at(command, merchant, night_after(LAST)):
        outcome = command.good("run", *days)
    document = command.latest().document()
    words = f"what was created after {LAST}T10:30:00Z may be missing until a later run"
    assert [line for line in document["warnings"] if words in line]
    assert words in " ".join(outcome.out.split())
    assert words in (command.latest().folder / "report.html").read_text()
    brought = document["fetched"][0]
    with at(command, merchant, datetime.now(UTC)):
        command.good("run")
    later = command.latest().document()
    assert not [line for line in later["warnings"] if words in line]
    assert (brought["added"], later["fetched"][0]["added"]) == (len(merchant.transactions) - 2, 2)


def test_a_today_behind_utc_that_hides_nothing_is_no_warning(
    make_command: MakeCommand, merchant: Merchant
) -> None:
    command = make_command()
    command.settings["RECONCILE_TIMEZONE"] = "UTC"
    with at(command, merchant, night_after(LAST)):
        outcome = command.good(
            "fetch", "--from", str(LAST - timedelta(days=6)), "--to", str(LAST - timedelta(2))
        )
    assert "may be missing" not in outcome.out
