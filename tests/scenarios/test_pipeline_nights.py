"""Night after night: runs without dates, what is carried along, what is cleared."""

import csv
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.core.discrepancies import TYPES
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.driver import Command, MakeCommand, Report, ids, keys, planted

DAY = timedelta(days=1)
REFUNDED = ("refunded", "partially_refunded")


def yesterday() -> date:
    """The last business day in Kolkata that ended before 00:00 UTC of today."""
    return datetime.now(UTC).date() - DAY


class Nights:
    """A merchant whose days end yesterday, and what each of its nights reported."""

    def __init__(self, command: Command) -> None:
        last = yesterday()
        first = last - 29 * DAY
        # The same shop five days before and now: meanwhile payments were made, settled and given back.
        before, self.merchant = Merchant.made_up(11, first, 25), Merchant.made_up(11, first, 30)
        self.before, ledger = before, command.folder / "ledger.csv"
        with serve(before) as sandbox:
            command.settings |= keys(sandbox)
            before.write_ledger(ledger)
            command.good("run", "--from", str(first), "--to", str(before.last_day), "--ledger", "ledger.csv")
            self.first = command.latest()
        with serve(self.merchant) as sandbox:
            command.settings |= keys(sandbox)
            self.fetched = command.good("fetch", RECONCILE_LOOKBACK_DAYS="3").out
            self.merchant.write_ledger(ledger)
            # Far enough back for every payment that may have been given back meanwhile.
            command.good("run", RECONCILE_LOOKBACK_DAYS="14", RECONCILE_LEDGER="ledger.csv")
            self.second = command.latest()
            # Of which kind it is depends on the days, so on the day on which this runs.
            rows = self.second.rows("discrepancies")
            self.missing = next(row for row in rows if row["type"] == "MISSING_IN_LEDGER")
            book(ledger, self.missing)
            command.good("run", RECONCILE_LEDGER="ledger.csv")
            self.third = command.latest()


def book(path: Path, missing: dict[str, str]) -> None:
    """Put the entry that was missing at the end of the ledger."""
    with path.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    entry = {
        "ledger_id": "V-LATE",
        "transaction_id": missing["transaction_id"],
        "amount": missing["kspay_amount"],
        "currency": missing["currency"],
        "date": missing["kspay_date"],
        "status": "refunded" if missing["kspay_status"].lower() in REFUNDED else "paid",
    }
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, columns).writerow(entry)


@pytest.fixture(scope="module")
def nights(make_command: MakeCommand, database_url: str) -> Nights:
    return Nights(make_command(RECONCILE_DATABASE_URL=database_url))


def by_id(report: Report) -> dict[str, dict[str, str]]:
    return {row["discrepancy_id"]: row for row in report.rows("discrepancies")}


def test_without_dates_all_since_the_last_run_is_fetched(nights: Nights) -> None:
    last = nights.merchant.last_day  # in Kolkata; its first day begins on the UTC day before
    assert f"records of the UTC days {last - 5 * DAY}..{last}" in nights.fetched


def test_without_dates_the_lookback_is_taken(nights: Nights) -> None:
    last = nights.merchant.last_day
    for report, days in ((nights.second, 14), (nights.third, 7)):
        document, first = report.document(), last - (days - 1) * DAY
        assert (document["from"], document["to"]) == (str(first), str(last))
        assert report.run_id == f"{first}_{last}_1"


def test_each_night_finds_what_was_planted_by_then(nights: Nights) -> None:
    # The nights together cover all days, so the later one still reports what it carries.
    for merchant, report in ((nights.before, nights.first), (nights.merchant, nights.second)):
        expected, found = planted(merchant.planted), report.findings()
        assert (expected - found, found - expected) == (Counter(), Counter())


def test_what_is_wrong_on_an_earlier_day_is_carried(nights: Nights) -> None:
    first_day = nights.second.document()["from"]
    carried = {
        (side, one)
        for row in nights.second.rows("discrepancies")
        if row["type"] != "INVALID_RECORD"
        for side, column in (("kspay", "transaction_id"), ("ledger", "ledger_id"))
        if row[f"{side}_date"] < first_day
        for one in ids(row[column])
    }
    assert len(carried) > 5
    rows = [row for row in nights.second.rows("summary") if row["scope"] == "carried"]
    counted = [int(row["count"]) for row in rows if row["outcome"] not in ("total", "quarantined")]
    assert sum(counted) == len(carried)
    for side in ("kspay", "ledger"):
        totals = [int(row["count"]) for row in rows if row["side"] == side and row["outcome"] == "total"]
        outcomes = [int(row["count"]) for row in rows if row["side"] == side and row["outcome"] != "total"]
        assert sum(totals) == sum(outcomes) > 0


def test_first_seen_stays_and_the_age_grows(nights: Nights) -> None:
    first, second, last = by_id(nights.first), by_id(nights.second), nights.merchant.last_day
    assert {row["first_seen"] for row in first.values()} == {str(last - 5 * DAY)}
    stayed = first.keys() & second.keys()
    assert len(stayed) > 5
    for known in stayed:
        assert second[known]["first_seen"] == str(last - 5 * DAY)
        assert int(second[known]["age_days"]) == int(first[known]["age_days"]) + 5
    assert {second[known]["first_seen"] for known in second.keys() - first.keys()} == {str(last)}
    document = nights.second.document()
    assert document["new"] == len(second.keys() - first.keys())
    assert sorted(document["cleared_discrepancies"]) == sorted(first.keys() - second.keys())


def test_the_last_days_of_the_first_night_were_a_matter_of_time(nights: Nights) -> None:
    timing = [row for row in by_id(nights.first).values() if row["type"] == "TIMING_DIFFERENCE"]
    assert len(timing) == 5
    assert {row["severity"] for row in timing} == {TYPES["TIMING_DIFFERENCE"].severity}
    assert not {row["discrepancy_id"] for row in timing} & by_id(nights.second).keys()


def test_a_corrected_ledger_clears_what_was_missing(nights: Nights) -> None:
    document = nights.third.document()
    assert document["imported"]["added"] == 1
    cleared = nights.missing["discrepancy_id"]
    assert (document["cleared"], document["cleared_discrepancies"], document["new"]) == (1, [cleared], 0)
    assert by_id(nights.third).keys() == by_id(nights.second).keys() - {cleared}
    for known, row in by_id(nights.third).items():
        assert row == by_id(nights.second)[known]
