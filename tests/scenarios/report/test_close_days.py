"""A day counts as covered once a run began after its end; a run within its last day says so."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand
from tests.support.quarter import ENTRIES, merchant


class Books:
    """One merchant, and when each of its runs began."""

    def __init__(self, command: Command) -> None:
        self.command = command
        with (command.folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, LEDGER_COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(
                {
                    "ledger_id": one.id, "reference": one.reference, "amount": one.amount,
                    "currency": one.currency, "date": one.day, "status": one.family,
                }
                for one in ENTRIES
            )  # fmt: skip

    def run(self, first: date | str, last: date | str, **variables: str) -> str:
        """The id of a run of these days."""
        days = ("--from", str(first), "--to", str(last))
        said = self.command.good("run", *days, "--ledger", "ledger.csv", "--json", **variables).out
        run_id: str = json.loads(said)["run_id"]
        return run_id

    def begun(self, run_id: str, at: str) -> None:
        """As if the run had begun at this time of the clock in India."""
        engine = create_engine(self.command.settings["RECONCILE_DATABASE_URL"])
        with engine.begin() as connection:
            changed = connection.execute(
                text("update runs set started_at = :at where run_id = :run_id"),
                {"at": f"{at}+05:30", "run_id": run_id},
            )
            assert changed.rowcount == 1
        engine.dispose()

    def reasons(self, month: str = "2026-08", **variables: str) -> list[tuple[str, str]]:
        """Why the month is not closed."""
        refused = self.command("close", month, "--by", "Ravi Iyer", "--json", **variables)
        assert refused.code == 3
        return [(one["reason"], one["says"]) for one in json.loads(refused.out)["reasons"]]


@pytest.fixture(scope="module")
def books(make_command: MakeCommand) -> Iterator[Books]:
    with serve(merchant()) as sandbox:
        yield Books(make_command(sandbox))


def test_a_month_is_closed_once_each_of_its_days_was_over_when_a_run_of_it_began(books: Books) -> None:
    books.begun(books.run("2026-08-01", "2026-08-15"), "2026-08-15 12:00")
    closing = books.run("2026-08-16", "2026-08-31")
    assert books.reasons() == [
        ("not covered", "2026-08-15 was not over when the runs that cover it began: run it again")
    ]
    books.begun(closing, "2026-08-31 23:59:59")
    not_to_its_end = (
        "not run to its end",
        f"run {closing} began before 2026-08-31 was over in Asia/Kolkata: run the month again, with --from 2026-08-01 "
        "--to 2026-08-31",
    )
    assert books.reasons() == [
        ("not covered", "2026-08-15 was not over when the runs that cover it began: run it again"),
        ("not covered", "2026-08-31 was not over when the runs that cover it began: run it again"),
        not_to_its_end,
    ]
    # Later nights cover the days; the closing run is still one that saw only a part of the last.
    books.run("2026-08-14", "2026-08-18")
    books.run("2026-08-25", "2026-09-01")
    assert books.reasons() == [not_to_its_end]
    # What counts is the business time zone: in UTC the day goes on for five hours and a half.
    books.begun(closing, "2026-09-01 00:00")
    refused = books.reasons(RECONCILE_TIMEZONE="UTC")
    assert [(reason, "was over in UTC" in says) for reason, says in refused] == [("not run to its end", True)]
    assert "version 1, closed by Ravi Iyer" in books.command.good("close", "2026-08", "--by", "Ravi Iyer").out
    # A run of the month again is what the refusal asks for.
    books.begun(closing, "2026-08-31 23:59:59")
    assert books.reasons() == [not_to_its_end]
    books.run("2026-08-01", "2026-08-31")
    assert "version 2, closed by Ravi Iyer" in books.command.good("close", "2026-08", "--by", "Ravi Iyer").out


def test_a_month_whose_opening_was_run_after_it_is_run_again_before_it_is_closed(books: Books) -> None:
    """Between the two, what the opening run found would be called cleared, and is open."""
    july = books.run("2026-07-01", "2026-07-31")
    june = books.run("2026-06-01", "2026-06-30")
    says = (
        f"run {june}, with which the month begins, was made after run {july}, with which it ends, and what it found is "
        "not in that one"
    )
    assert books.reasons("2026-07") == [
        ("runs out of order", f"{says}: run the month again, with --from 2026-07-01 --to 2026-07-31")
    ]
    assert f"{says}: run the month again" in books.command.good("report", "--period", "2026-07").err
    books.run("2026-07-01", "2026-07-31")
    said = books.command.good("close", "2026-07", "--by", "Ravi Iyer")
    assert "version 1" in said.out
    assert "was made after" not in said.out


def test_a_run_within_its_last_day_warns(books: Books) -> None:
    # Where it is about noon now, so that no midnight comes between.
    now = datetime.now(UTC)
    zone, today = f"Etc/GMT{now.hour - 12:+d}", now.date()
    for last, warned in ((today, True), (today - timedelta(days=1), False)):
        run_id = books.run(last - timedelta(days=1), last, RECONCILE_TIMEZONE=zone)
        document = json.loads((books.command.folder / "reports" / run_id / "run.json").read_text("utf-8"))
        told = f"the last day is not over: the run began before the end of {last} in {zone}, and lacks "
        assert any(line.startswith(told) for line in document["warnings"]) is warned
