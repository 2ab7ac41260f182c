"""A wrong import is taken back, a snapshot withdraws, a broken file blocks: what the commands leave behind."""

import json
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from reconcile.db.locks import app_locks
from reconcile.load.staging_tables import take_turns
from tests.support.driver import Command, MakeCommand, Running

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")

# All that happened until now was 40 days ago; and a transaction said something else before.
AGED = (
    "insert into transaction_versions select *, clock_timestamp(), (select min(load_id) from loads)"
    " from transactions limit 1",
    *(
        f"update {table} set {column} = {column} - interval '40 days'"  # noqa: S608 - names of ours
        for table, column in (
            ("imports", "imported_at"),
            ("transaction_versions", "replaced_at"),
            ("entry_versions", "replaced_at"),
            ("quarantine_versions", "cleared_at"),
            ("runs", "started_at"),
        )
    ),
)

# No connection but to the machine's own Postgres: Python itself tells of every one.
WATCH = """
import os, sys
def watch(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        with open(os.environ["WATCHED"], "a") as file:
            print(event, arguments[-1] if event == "socket.connect" else arguments[0], file=file)
sys.addaudithook(watch)
from reconcile.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def reconciled(calm: Command) -> Command:
    """The calm shop after a run."""
    calm.good("run", *DAYS, "--ledger", "ledger.csv")
    return calm


def test_a_wrong_import_is_undone_entirely(reconciled: Command) -> None:
    """The report after it is the report before it, byte for byte, and matching anew gives the same."""
    calm = reconciled
    before = calm.latest()
    header, *lines = (calm.folder / "ledger.csv").read_text("utf-8").splitlines()
    # Half of it, with every amount ten times as high: a file of another currency's unit, say.
    column = header.split(",").index("amount")
    wrong = [line.split(",") for line in lines[::2]]
    for cells in wrong:
        whole, _, cents = cells[column].partition(".")
        cells[column] = f"{whole}0.{cells[column][-1]}0" if cents else f"{whole}0"
    table = "\n".join([header, *(",".join(cells) for cells in wrong)])
    (calm.folder / "wrong.csv").write_text(table, "utf-8")
    calm.good("run", *DAYS, "--ledger", "wrong.csv")
    between = calm.latest()
    assert between.document()["discrepancies"]["AMOUNT_MISMATCH"] > 10
    assert between.same() != before.same()
    done = calm.good("ledger", "withdraw", "2").out
    assert f"{len(wrong):,} back as they were before it" in done
    calm.good("run", *DAYS)
    assert calm.latest().rows("matched") == before.rows("matched")
    assert calm.latest().rows("summary") == before.rows("summary")
    assert calm.latest().findings() == before.findings()
    assert "FAIL" not in calm.good("doctor").out
    told = calm.good("explain", lines[0].split(",")[header.split(",").index("ledger_id")]).out
    assert "import 2 of wrong.csv: amount was" in told
    assert "the withdrawal of import 2 of wrong.csv: amount was" in told
    assert f"undone by run {between.run_id}" in told
    listing = calm.good("ledger").out
    assert "taken back on" in listing
    assert listing == calm.good("ledger", "list").out
    wrong_again = calm("ledger", "withdraw", "2")
    assert (wrong_again.code, wrong_again.out) == (2, "")
    assert "already" in wrong_again.complaint
    assert "no import 77 is known" in calm("ledger", "withdraw", "77").complaint


def test_explain_says_how_an_entry_was_withdrawn(reconciled: Command) -> None:
    """By a snapshot that lacks it, before and after the next run; and by the withdrawal of its only import."""
    calm = reconciled
    header, *lines = (calm.folder / "ledger.csv").read_text("utf-8").splitlines()
    lacking = lines[1].split(",")[header.split(",").index("ledger_id")]
    matched = next(row for row in calm.latest().rows("matched") if row["ledger_ids"] == lacking)
    (calm.folder / "whole.csv").write_text("\n".join([header, lines[0], *lines[2:]]), "utf-8")
    snapshot = calm.good("ledger", "import", "whole.csv", "--snapshot").out
    number = snapshot.removeprefix("import ").partition(":")[0]
    told = calm.good("explain", lacking).out
    assert "  Withdrawn on " in told
    assert f" UTC: import {number} of whole.csv, a snapshot that spans its day, lacks it. " in told
    waiting = f"It is kept, and no longer matched: the next run undoes its match with {matched['transaction_ids']}\n"
    assert waiting in told
    assert f", snapshot import {number} of whole.csv: withdrawn\n" in told
    calm.good("run", *DAYS)
    told = calm.good("explain", lacking).out
    assert "It is kept, and no longer matched\n" in told
    assert f"undone by run {calm.latest().run_id}" in told
    calm.good("ledger", "withdraw", number)
    told = calm.good("explain", lacking).out
    assert "Withdrawn on" not in told
    assert f", the withdrawal of import {number} of whole.csv: no longer withdrawn\n" in told
    (calm.folder / "one.csv").write_text("ledger_id,amount,date,currency\nW-1,5.00,2026-04-02,INR\n", "utf-8")
    imported = calm.good("ledger", "import", "one.csv").out
    number = imported.removeprefix("import ").partition(":")[0]
    calm.good("ledger", "withdraw", number)
    told = calm.good("explain", "W-1").out
    assert f" UTC: import {number} of one.csv, which alone held it, was withdrawn. It is kept" in told


def test_a_mostly_broken_file_blocks_until_it_is_allowed_by_name(make_command: MakeCommand) -> None:
    command = make_command(KSPAY_APP_ID="ap_1")
    rows = [f"L{n},{'x' if n % 5 else n}.00,2026-04-01,INR" for n in range(120)]
    (command.folder / "bad.csv").write_text("\n".join(["ledger_id,amount,date,currency", *rows]), "utf-8")
    refused = command("ledger", "import", "bad.csv")
    assert (refused.code, refused.out) == (3, "")
    for word in ("bad.csv", "96 of 120", "--allow mostly_usable"):
        assert word in refused.complaint
    assert command.good("quarantine").out == "nothing is in quarantine\n"
    typo = command("ledger", "import", "bad.csv", "--allow", "mostly_usabel")
    assert typo.code == 2
    assert "mostly_usable" in typo.complaint
    allowed = command.good("ledger", "import", "bad.csv", "--allow", "mostly_usable")
    assert "96 in quarantine" in allowed.out
    assert "allowed mostly_usable" in command.good("ledger", "list").out
    listed = command.good("quarantine", "--limit", "2").out
    assert "96 records in quarantine, 2 of them shown" in listed
    assert "L1 " in listed


def test_validate_alone_and_its_pages(calm: Command, tmp_path: Path) -> None:
    """Runs after the import was undone: all suites, pages of Great Expectations, and no call to anywhere."""
    program = tmp_path / "watched.py"
    program.write_text(WATCH, "utf-8")
    watched = tmp_path / "watched.txt"
    words = [str(program), "validate", "--data-docs", str(tmp_path / "pages")]
    with Running(words, calm.folder, calm.environment(WATCHED=str(watched)), warm=True) as running:
        told = running.ended()
    assert told.code == 0, told
    for line in ("transactions: 12 of 12", "entries: 12 of 12", "results: 8 of 8"):
        assert line in told.out, told
    pages = list((tmp_path / "pages").rglob("*.html"))
    assert {"transactions.html", "entries.html"} <= {page.name for page in pages}
    assert len([page for page in pages if "validations" in page.parts]) >= 3
    reached = watched.read_text("utf-8").splitlines() if watched.exists() else []
    assert [line for line in reached if "127.0.0.1" not in line and "localhost" not in line] == []
    # Nothing was written to the database: no run, and nothing that waits to be matched.
    assert "validate" not in calm.good("runs").out


def test_an_empty_database_is_not_valid(make_command: MakeCommand) -> None:
    told = make_command(KSPAY_APP_ID="ap_1")("validate")
    assert told.code == 3
    assert told.err.count("nothing was evaluated") == 3


def test_an_import_that_is_killed_leaves_nothing_and_is_done_again(
    make_command: MakeCommand, make_database: Callable[[], str]
) -> None:
    """Killed when all is staged and about to be taken in: it waits there for another load of its source."""
    url = make_database()
    command = make_command(KSPAY_APP_ID="ap_1", RECONCILE_DATABASE_URL=url)
    lines = [f"L{n},{n}.00,2026-04-01,INR" for n in range(1000)]
    (command.folder / "big.csv").write_text("\n".join(["ledger_id,amount,date,currency", *lines]), "utf-8")
    command.good("ledger", "list")  # makes the tables
    engine = create_engine(url)
    waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    with engine.connect() as other, engine.connect() as looking:
        take_turns(other, "ledger", "default")
        with command.start("ledger", "import", "big.csv") as running:
            while running.process.poll() is None and not looking.execute(waiting).scalar_one():
                looking.rollback()
                time.sleep(0.05)
            os.kill(running.process.pid, signal.SIGKILL)
            assert running.ended().code == -signal.SIGKILL
        other.rollback()
    engine.dispose()
    assert "big.csv" not in command.good("ledger", "list").out
    done = command.good("ledger", "import", "big.csv")
    assert "import 1: 1,000 rows of big.csv: 1,000 new" in done.out


def test_a_run_says_what_its_ledger_lacks_and_withdraws_it_as_a_snapshot(calm: Command) -> None:
    """With the lines that are no records counted."""
    calm.good("ledger", "import", "ledger.csv")
    header, *lines = (calm.folder / "ledger.csv").read_text("utf-8").splitlines()
    names = header.split(",")
    lacking = lines[1].split(",")[names.index("ledger_id")]
    total = ",".join({"ledger_id": "Total", "amount": "12345.67"}.get(name, "") for name in names)
    (calm.folder / "corrected.csv").write_text(
        "\n".join([header, lines[0], *lines[2:], header, total]), "utf-8"
    )
    calm.good("run", *DAYS, "--ledger", "corrected.csv")
    document = calm.latest().document()
    assert document["imported"]["passed_over"] == 2
    said = [line for line in document["warnings"] if line.startswith("ledger: corrected.csv: ")]
    assert any(f": {lacking}; import with --snapshot to withdraw it" in line for line in said)
    calm.good("run", *DAYS, "--ledger", "corrected.csv", "--snapshot")
    document = calm.latest().document()
    assert document["imported"]["withdrawn"] == 1
    assert not any("lacks" in line for line in document["warnings"])
    assert "--snapshot: no ledger is named" in calm("run", *DAYS, "--snapshot").complaint


def test_old_states_are_pruned_and_no_report_changes(calm: Command) -> None:
    def changed(name: str, amount: str, more: str = "") -> str:
        """The number of the import of a file that holds one entry of ledger.csv, with this amount."""
        row = dict(zip(names, lines[3].split(","), strict=True)) | {"amount": amount}
        (calm.folder / name).write_text("\n".join([header, ",".join(row.values()), more]), "utf-8")
        done = calm.good("ledger", "import", name, "--allow", "mostly_usable").out
        return done.removeprefix("import ").partition(":")[0]

    header, *lines = (calm.folder / "ledger.csv").read_text("utf-8").splitlines()
    names = header.split(",")
    broken = dict(zip(names, lines[4].split(","), strict=True)) | {"amount": "?"}
    changed("broken.csv", "1.00", ",".join(broken.values()))
    calm.good("run", *DAYS, "--ledger", "ledger.csv")
    report = calm.latest().same()
    old = changed("old.csv", "2.00")
    calm.good("run", *DAYS)
    engine = create_engine(calm.settings["RECONCILE_DATABASE_URL"])
    with engine.begin() as connection:
        connection.exec_driver_sql("set search_path to reconcile")
        for statement in AGED:
            connection.exec_driver_sql(statement)
    # What the entry said before both is what it returns to, old as that is.
    new = changed("new.csv", "3.00")
    calm.good("ledger", "withdraw", old)
    calm.good("run", *DAYS)

    day = datetime.now(UTC).date() - timedelta(days=20)
    prune = ("prune", "--before", str(day))
    tried = json.loads(calm.good(*prune, "--dry-run", "--json").out)
    done = json.loads(calm.good(*prune, "--json").out)
    assert done == tried | {"dry_run": False}
    assert all(done["removed"].values())
    assert "former states of entries: 0 removed" in calm.good(*prune).out
    assert "FAIL" not in calm.good("doctor").out
    first = calm("ledger", "withdraw", "1")
    assert (first.code, "it can no longer be withdrawn" in first.complaint) == (2, True)
    calm.good("ledger", "withdraw", new)
    calm.good("run", *DAYS)
    assert calm.latest().same() == report

    future = calm("prune", "--before", "2999-01-01")
    assert (future.code, "lies in the future" in future.complaint) == (2, True)
    with app_locks(engine, [calm.settings["KSPAY_APP_ID"]], wait=False):
        assert calm(*prune).code == 5
    engine.dispose()
