"""The same data gives the same bytes, however it arrives and wherever the command runs."""

import csv
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from reconcile.report.columns import AMOUNTS
from reconcile.report.csv_files import read_csv
from reconcile.sandbox.merchant import Merchant
from tests.support.driver import Command, MakeCommand, Outcome, Report, Shop
from tests.support.gate import gate


@pytest.fixture(scope="module")
def undisturbed(small_run: tuple[Command, Outcome]) -> dict[str, str]:
    return small_run[0].latest().same()


@pytest.fixture
def command(small_shop: Shop, make_command: MakeCommand, make_database: Callable[[], str]) -> Command:
    merchant, sandbox = small_shop
    command = make_command(sandbox, RECONCILE_DATABASE_URL=make_database())
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


def words(merchant: Merchant) -> tuple[str, ...]:
    return (
        "run",
        "--from",
        str(merchant.first_day),
        "--to",
        str(merchant.last_day),
        "--ledger",
        "ledger.csv",
    )


def test_pages_and_rows_in_another_order(
    small_shop: Shop, command: Command, undisturbed: dict[str, str]
) -> None:
    merchant, sandbox = small_shop
    shuffle_rows(command.folder / "ledger.csv")
    with gate(sandbox, backwards) as turned:
        command.good(*words(merchant), RECONCILE_PAGE_SIZE="17", KSPAY_BASE_URL=turned.base_url)
    assert command.latest().same() == undisturbed


def shuffle_rows(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    Random(4).shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def backwards(path: str, body: bytes) -> bytes:
    """Every page from its last row to its first."""
    if not path.startswith("/transaction?"):
        return body
    content = json.loads(body)
    content.get("result", []).reverse()  # a refusal of dates has none
    return json.dumps(content).encode()


def test_semicolons_change_nothing_but_how_it_is_written(
    small_shop: Shop, command: Command, small_run: tuple[Command, Outcome]
) -> None:
    """With RECONCILE_CSV=semicolon: the same cells in every file, and the same page; the sheet comes back."""
    usual = small_run[0].latest()
    command.good(*words(small_shop[0]), RECONCILE_CSV="Semicolon")
    report = command.latest()
    for name in ("discrepancies", "resolved", "matched", "summary", "quarantine"):
        header, *rows = list(read_csv(report.folder / f"{name}.csv"))
        assert [header, *rows] == list(read_csv(usual.folder / f"{name}.csv"))
        written = report.raw(name).decode("utf-8-sig")
        assert written.splitlines()[0] == ";".join(header)
        amounts = [row[place] for row in rows for place, column in enumerate(header) if column in AMOUNTS]
        assert all(amount.replace(".", ",") in written for amount in amounts)
    assert largest(report) == largest(usual) != []
    with (report.folder / "discrepancies.csv").open(encoding="utf-8-sig", newline="") as file:
        header, first, *_ = csv.reader(file, delimiter=";")
    first[header.index("resolution")] = "accept"
    with (command.folder / "filled.csv").open("w", encoding="cp1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows([header, first])
    assert "1 decision" in command.good("resolve", "filled.csv", "--by", "Asha Rao", "--dry-run").out


def largest(report: Report) -> list[str]:
    """The amounts of the largest items as the page shows them."""
    page = (report.folder / "report.html").read_text("utf-8")
    return re.findall(r'<td role="cell" class="n stake".*', page)


@pytest.mark.parametrize(
    "surroundings",
    [
        {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8", "PGTZ": "Asia/Tokyo"},
        {"TZ": "America/Los_Angeles", "LANG": "C", "LC_ALL": "de_DE.ISO-8859-1", "PGDATESTYLE": "German"},
    ],
)
def test_other_surroundings(
    small_shop: Shop, command: Command, undisturbed: dict[str, str], surroundings: dict[str, str]
) -> None:
    outcome = command.good(*words(small_shop[0]), **surroundings)
    assert command.latest().same() == undisturbed
    assert "MISSING_IN_LEDGER" in outcome.out


def test_a_night_in_pieces(small_shop: Shop, command: Command, undisturbed: dict[str, str]) -> None:
    merchant, _ = small_shop
    middle = merchant.first_day + timedelta(days=15)
    # The later half first: what has arrived when must not matter.
    assert merchant.app_id in command.good("fetch", "--from", str(middle), "--to", str(merchant.last_day)).out
    imported = command.good("ledger", "import", "ledger.csv").out
    assert f"{len(merchant.ledger)} rows of ledger.csv" in imported
    command.good(*words(merchant)[:-2])
    report = command.latest()
    assert report.same() == undisturbed
    document = report.document()
    assert document["imported"] is None
    (fetched,) = document["fetched"]
    assert 0 < fetched["added"] < fetched["usable"]
    assert fetched["changed"] == 0
