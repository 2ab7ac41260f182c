"""Three months are closed in a row, with corrections in between; one is closed again. All figures are the oracle's."""

import csv
import hashlib
import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from python_calamine import load_workbook
from sqlalchemy import Engine, text

from reconcile.core.errors import CheckFailed, UsageError
from reconcile.core.journal import Accounts
from reconcile.core.records import Period
from reconcile.db.engine import open_store
from reconcile.kspay import Credentials
from reconcile.report import close_trail
from reconcile.report.bridge import LINES
from reconcile.report.close_month import NotClosed, close_month, write_closed
from reconcile.report.journal import export_journal
from reconcile.report.statement import Line, statement_of
from reconcile.sandbox.server import serve
from reconcile.settings import Settings
from tests.support.driver import Command, MakeCommand
from tests.support.quarter import (
    AUGUST,
    FEES,
    JULY,
    JUNE,
    TOLERANCES,
    Lines,
    Quarter,
    Snapshot,
    corrected,
    lines_of,
    merchant,
    record,
)


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@contextmanager
def merchant_of(database: str, folder: Path) -> Iterator[Quarter]:
    """The merchant and its books in this database, before any run."""
    with serve(merchant()) as sandbox:
        app = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
        settings = replace(
            Settings(database_url=database),
            apps=(app,),
            app_ids=(app.app_id,),
            fees=FEES,
            tolerances=TOLERANCES,
        )
        with open_store(settings) as engine:
            yield Quarter(folder, settings, engine)


@pytest.fixture(scope="module")
def quarter(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with merchant_of(database, tmp_path_factory.mktemp("quarter")) as played:
        play(played)
        yield played


def play(quarter: Quarter) -> None:
    quarter.run(JUNE)
    quarter.close("2026-06", "Ravi Iyer", None, 0)
    quarter.decide("Asha Rao", ORD_2="write_off", ORD_3="accept")
    quarter.decide("Vikram Shah", OTHER_5="ignore")
    quarter.run(JUNE)
    quarter.close("2026-06", "Ravi Iyer", None, 0, 1)

    quarter.run(JULY)
    quarter.decide("Asha Rao", ORD_6="accept", ORD_8="write_off")
    quarter.books["L-4"] = record(4, "USD", "50", "2026-06-13")  # booked late
    quarter.books["L-7b"] = corrected(quarter.books["L-7b"], "410")  # while it is open
    quarter.run(JULY)
    quarter.close("2026-07", "Meera Nair", 1, 2, 3)

    quarter.run(AUGUST)
    quarter.decide("Vikram Shah", ORD_2="reopen", ORD_9="match:L-9")
    quarter.books["L-10"] = corrected(quarter.books["L-10"], "155")
    quarter.run(AUGUST)
    quarter.close("2026-08", "Ravi Iyer", 3, 4, 5)

    # June once more, after August.
    quarter.run(JUNE)
    quarter.close("2026-06", "Ravi Iyer", None, 0, 1, 6)


def shown(lines: list[Line]) -> Lines:
    return {(one.currency, one.line): (one.items, one.count, one.amount) for one in lines if one.items}


def closed_lines(content: dict[str, object]) -> Lines:
    return shown([Line(**{**one, "amount": Decimal(one["amount"])}) for one in content["lines"]])  # type: ignore[attr-defined]


def test_every_closed_version_is_what_the_oracle_says(quarter: Quarter) -> None:
    assert [done.close.name for done, _ in quarter.closed] == [
        "2026-06 version 1", "2026-06 version 2", "2026-07 version 1", "2026-08 version 1", "2026-06 version 3",
    ]  # fmt: skip
    for done, snapshots in quarter.closed:
        assert closed_lines(dict(done.close.content)) == lines_of(snapshots), done.close.name
    # All kinds of lines were there, so that each was compared.
    kinds = {line for _, snapshots in quarter.closed for _, line in lines_of(snapshots)}
    assert kinds == {
        "opening", "new", "reopened", "changed", "cleared", "accept", "write_off", "ignore", "match", "closing",
    }  # fmt: skip
    # A month opens as the one before it was closed.
    july, august = quarter.closed[2][0], quarter.closed[3][0]
    ends = [
        {key[0]: found for key, found in closed_lines(dict(done.close.content)).items() if key[1] == line}
        for done, line in ((july, "closing"), (august, "opening"))
    ]
    assert ends[0] == ends[1]


def test_a_new_version_says_what_moved_since_the_one_before(quarter: Quarter) -> None:
    firsts = [done.since for done, _ in quarter.closed if done.close.version == 1]
    assert firsts == [None] * 3
    for number, runs in ((1, (0, 1)), (4, (1, 6))):
        since = quarter.closed[number][0].since
        assert since is not None
        assert shown(list(since.lines)) == lines_of([quarter.snapshots[one] for one in runs])
    # June was closed once more after July, which had begun as June ended then.
    assert [done.warnings for done, _ in quarter.closed] == [
        (), (), (), (), ("2026-07 version 1 opens otherwise than 2026-06 ends now: close 2026-07 again",),
    ]  # fmt: skip
    since = quarter.closed[1][0].since
    assert since is not None
    assert {(one.line, one.by, one.amount) for one in since.movements} == {
        ("accept", "Asha Rao", Decimal(-10)),
        ("write_off", "Asha Rao", Decimal(-500)),
        ("ignore", "Vikram Shah", Decimal(-300)),
    }


def test_each_run_says_what_moved_as_the_statement_does(quarter: Quarter) -> None:
    """On the page, on the terminal and in run.json, also of a month that was run again."""
    for before, after in ((None, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (1, 6)):
        earlier = Snapshot("", {}, {}, frozenset()) if before is None else quarter.snapshots[before]
        lines = lines_of([earlier, quarter.snapshots[after]])
        counts = dict.fromkeys(("new", "reopened", "cleared", "resolved"), 0)
        for (_, line), (items, _, _) in lines.items():
            name = "resolved" if line in ("accept", "write_off", "ignore", "match") else line
            counts[name] = counts.get(name, 0) + items
        report = quarter.reports[after]
        document = report.document()
        for name in ("new", "reopened", "cleared", "resolved"):
            assert document[name] == counts[name], (after, name)
        assert len(document["cleared_discrepancies"]) == counts["cleared"]
        page = (report.folder / "report.html").read_text("utf-8")
        for name in ("new", "reopened", "cleared"):
            assert f"<dt>{name.capitalize()}</dt><dd>{counts[name]}</dd>" in page


def test_the_bridge_of_every_run_is_what_the_oracle_says(quarter: Quarter) -> None:
    for report, snapshot in zip(quarter.reports, quarter.snapshots, strict=True):
        rows = report.document()["bridge"]
        assert {
            (row["currency"], row["line"]): (row["count"], Decimal(row["amount"])) for row in rows
        } == snapshot.bridge, report.run_id
    assert {line for snapshot in quarter.snapshots for _, line in snapshot.bridge} == {
        "kspay_total", "excluded_in_kspay", "missing_in_ledger", "other_days", "fees", "tolerated", "amounts",
        "refunds", "missing_in_kspay", "duplicates_in_ledger", "excluded_in_ledger", "ledger_total",
    }  # fmt: skip


def test_each_line_of_the_bridge_has_its_rows(quarter: Quarter) -> None:
    """In bridge.csv and in the workbook, they are as many as the line counts and add up to it."""
    for report, snapshot in zip(quarter.reports, quarter.snapshots, strict=True):
        wanted = {key: told for key, told in snapshot.bridge.items() if not key[1].endswith("total")}
        found: dict[tuple[str, str], tuple[int, Decimal]] = {}
        rows = report.rows("bridge")
        for row in rows:
            count, amount = found.get((row["currency"], row["line"]), (0, Decimal(0)))
            found[row["currency"], row["line"]] = (count + 1, amount + Decimal(row["amount"]))
        assert found == wanted, report.run_id
        with load_workbook(report.folder / f"report-{report.run_id}.xlsx") as book:
            header, *shown = book.get_sheet_by_name("Bridge rows").to_python()
        places = [header.index(name) for name in ("line", "transaction_ids", "ledger_ids")]
        assert [[row[place] for place in places] for row in shown] == [
            [LINES[row["line"]].title, row["transaction_ids"], row["ledger_ids"]] for row in rows
        ]
        assert all(row["kspay_date"] or row["ledger_date"] for row in rows)
        assert all(row["kspay_status"] or row["ledger_status"] for row in rows)


def test_what_a_version_rests_on_is_kept_with_it(quarter: Quarter) -> None:
    done = quarter.closed[1][0]
    content = done.close.content
    (closing,) = content["closing"].values()
    report = quarter.reports[1]
    assert closing["run_id"] == report.run_id
    assert closing["files"] == {name: one["sha256"] for name, one in report.document()["files"].items()}
    assert content["decisions"]["records"] == closing["decisions"] == 3
    assert content["preparers"] == ["Asha Rao", "Vikram Shah"]
    with (done.folder / "statement-2026-06-signoff.csv").open(encoding="utf-8-sig", newline="") as file:
        signed = [(one["role"], one["name"], one["decisions"], one["at"]) for one in csv.DictReader(file)]
    assert signed == [
        ("preparer", "Asha Rao", "2", ""),
        ("preparer", "Vikram Shah", "1", ""),
        ("approver", "Ravi Iyer", "", f"{done.close.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"),
    ]
    page = (done.folder / "statement-2026-06.html").read_text("utf-8")
    assert "Version 2, closed by <bdi>Ravi Iyer</bdi>" in page
    assert page.count("Signature, date") == 3


def test_a_closed_version_comes_back_byte_by_byte(quarter: Quarter, tmp_path: Path) -> None:
    for done, _ in quarter.closed:
        before = {path.name: path.read_bytes() for path in done.folder.iterdir()}
        with quarter.engine.connect() as connection:
            again = write_closed(connection, done.close, tmp_path)
        assert {path.name: path.read_bytes() for path in again.iterdir()} == before
        assert json.loads(before["close.json"]) == done.close.content
    with zipfile.ZipFile(quarter.closed[1][0].folder / "statement-2026-06.xlsx") as book:
        items = book.read("xl/worksheets/sheet2.xml").decode()
    assert 'scale="82"' in items  # never smaller than 9 points, however many columns there are
    assert "fitToWidth" not in items
    names = sorted(path.name for path in quarter.closed[1][0].folder.iterdir())
    assert names == [
        "close.json",
        "statement-2026-06-items.csv",
        "statement-2026-06-signoff.csv",
        "statement-2026-06-since-v1-items.csv",
        "statement-2026-06-since-v1.csv",
        "statement-2026-06.csv",
        "statement-2026-06.html",
        "statement-2026-06.xlsx",
    ]


def test_a_month_closes_again_only_after_another_run(quarter: Quarter, tmp_path: Path) -> None:
    again = close_month(quarter.engine, quarter.settings, "2026-08", "Somebody", {}, tmp_path)
    assert (again.made, again.close.version, again.close.by) == (False, 1, "Ravi Iyer")
    with quarter.engine.connect() as connection:
        assert close_trail.verify(connection) == 5


def test_a_month_that_cannot_be_closed_says_all_reasons(quarter: Quarter, tmp_path: Path) -> None:
    def reasons(month: str, **changes: object) -> list[tuple[str, str]]:
        settings = replace(quarter.settings, **changes)  # type: ignore[arg-type]
        with pytest.raises(NotClosed) as refused:
            close_month(quarter.engine, settings, month, "Ravi Iyer", {}, tmp_path)
        assert refused.value.exit_code == 3
        return [(one.reason, one.says) for one in refused.value.reasons]

    assert reasons("2026-09") == [
        ("not covered", "no finished run covers 2026-09-01 to 2026-09-30"),
        ("not run to its end", "no finished run is as of 2026-09-30"),
    ]
    assert reasons("2026-06", app_ids=(*quarter.settings.app_ids, "ap_other"))[0][0] == "not covered"
    (undecided,) = reasons("2026-08", close_undecided={"INR": Decimal(499), "USD": Decimal(0)})
    assert undecided[0] == "not decided"
    assert undecided[1].endswith(", MISSING_IN_LEDGER: INR 500.00 is more than 499.00")
    page = quarter.reports[5].folder / "report.html"
    kept = page.read_bytes()
    page.write_bytes(b"changed")
    try:
        (changed,) = reasons("2026-08")
    finally:
        page.write_bytes(kept)
    assert changed[0] == "a check fails"
    assert "report.html was changed" in changed[1]
    now = datetime.now(quarter.settings.timezone)
    with pytest.raises(UsageError, match=f"{now:%Y-%m} is not over"):
        close_month(quarter.engine, quarter.settings, f"{now:%Y-%m}", "Ravi Iyer", {}, tmp_path)
    assert [*tmp_path.iterdir()] == []


TAMPERED = {
    "update closes set by_name = 'x' where close_id = 2": "2026-06 version 2, closed by x, is not what was closed",
    "update closes set content = content - 'lines' where close_id = 3": "2026-07 version 1",
    "delete from closed_files where name = 'statement-2026-07.html'": "statement-2026-07.html of 2026-07 version 1",
    "update closed_files set bytes = 'x' where name like '%06.csv' and version = 1": "statement-2026-06.csv of 2026-06",
    "delete from closed_files where version = 3; delete from closes where close_id = 5": "the stored end of the chain",
    "update decisions set hash = 'x' where decision_id = 3": "the decisions are not those that 2026-06 version 2",
}


@contextmanager
def tampered(engine: Engine, statements: str) -> Iterator[None]:
    with engine.connect() as connection:
        for table in ("closes", "closed_files", "decisions"):
            connection.execute(text(f"alter table {table} disable trigger user"))
        for one in statements.split("; "):
            assert connection.execute(text(one)).rowcount
        with pytest.raises(CheckFailed, match="the closed months were tampered with") as found:
            close_trail.verify(connection)
        assert TAMPERED[statements] in str(found.value)
        connection.rollback()
        yield


def test_tampering_is_found_and_the_database_refuses_any_change(quarter: Quarter) -> None:
    for statements in TAMPERED:
        with tampered(quarter.engine, statements):
            pass
    with quarter.engine.connect() as connection:
        for statement in (
            "update closes set by_name = 'x'",
            "delete from closed_files",
            "truncate closes cascade",
            "update close_head set records = 0",
        ):
            with pytest.raises(Exception, match="only ever added to"), connection.begin_nested():
                connection.execute(text(statement))


@pytest.fixture(scope="module")
def command(quarter: Quarter, database: str, make_command: MakeCommand) -> Command:
    (app,) = quarter.settings.apps
    return make_command(
        None,
        RECONCILE_DATABASE_URL=database,
        KSPAY_BASE_URL=app.base_url,
        KSPAY_APP_ID=app.app_id,
        KSPAY_ACCESS_KEY=app.access_key,
        KSPAY_SECRET_KEY=app.secret_key,
    )


def test_the_commands(quarter: Quarter, command: Command) -> None:
    """Of a closed month `report` shows the version and, apart, what has moved; the closed one stays."""
    listed = json.loads(command.good("close", "--list", "--json").out)["closed"]
    assert [(one["month"], one["version"]) for one in listed] == [
        (done.close.month, done.close.version) for done, _ in quarter.closed
    ]
    assert "2026-07" in command.good("close", "--list").out

    said = command.good("report", "--period", "2026-06").out
    assert "Close statement of 2026-06, version 3, closed by Ravi Iyer" in said
    assert "Nothing has moved since version 3" in said
    folder = quarter.closed[4][0].folder
    for path in folder.iterdir():
        assert (
            command.folder / "reports" / "closed" / "2026-06-v3" / path.name
        ).read_bytes() == path.read_bytes()

    refused = command("close", "2026-09", "--by", "Ravi Iyer")
    assert refused.code == 3
    assert "no finished run is as of 2026-09-30" in refused.err
    assert refused.err.splitlines()[-1].startswith("reconcile: 2026-09 cannot be closed, for 2 reasons")
    told = json.loads(command("close", "2026-09", "--by", "Ravi Iyer", "--json").out)
    assert [one["reason"] for one in told["reasons"]] == ["not covered", "not run to its end"]
    for words in (
        ("close",),
        ("close", "2026-08"),
        ("close", "August", "--by", "A"),
        ("close", "2026-08", "--list"),
    ):
        assert (outcome := command(*words)).code == 2
        assert outcome.complaint
    assert command("close", "2026-08", "--by", " ").code == 2
    assert "RECONCILE_CLOSE_UNDECIDED" in command("doctor", RECONCILE_CLOSE_UNDECIDED="much").out

    quarter.books["L-10"] = corrected(quarter.books["L-10"], "150")
    quarter.run(AUGUST)
    told = json.loads(command.good("report", "--period", "2026-08", "--json").out)
    assert told["closed"]["version"] == 1
    moved = {(one["line"], Decimal(one["amount"])) for one in told["since"]["movements"]}
    assert moved == {("cleared", Decimal(-5))}
    assert closed_lines({"lines": told["statement"]["lines"]}) == lines_of(quarter.closed[3][1])
    said = command.good("report", "--period", "2026-08").out
    assert "Moved since version 1" in said
    assert "reports/statement-2026-08-since-v1.csv" in said
    said = command.good("close", "2026-08", "--by", "Meera Nair").out
    assert "version 2, closed by Meera Nair" in said
    assert "Moved since version 1, from its closing to that of this version" in said
    said = command.good("show", quarter.reports[-1].run_id, "--verify").out
    assert "verified: 6 closed versions of months are as they were closed" in said
    assert "6 versions, each and its files in the database as they were closed" in command("doctor").out


ACCOUNTS = Accounts({"": "KS Pay"}, {"accept": {"": {"": "Differences"}}, "write_off": {"": {"": "Losses"}}})


def test_the_journals_book_what_the_oracle_says_was_decided(quarter: Quarter, tmp_path: Path) -> None:
    settings = replace(quarter.settings, journal=ACCOUNTS)
    newest = {done.close.month: snapshots for done, snapshots in quarter.closed}
    for month, snapshots in newest.items():
        done = export_journal(quarter.engine, settings, month, "default", tmp_path)
        assert list(done.left) == []
        booked = [
            (line["currency"], Decimal(line["debit"] or 0) - Decimal(line["credit"] or 0))
            for path in done.files[:1]
            for line in rows_of(path)
            if line["account"] == "KS Pay"
        ]
        decided = snapshots[-1].decided.items() - snapshots[0].decided.items()
        states = {one.key: one.state for one in quarter.made}
        assert sorted(booked) == sorted(
            (states[key][0], states[key][1] - states[key][2])
            for key, word in decided
            if word in ("accept", "write_off")
        ), month
    # July: a payment of 2000 that was accepted, and half a dinar that was written off.
    assert lines_of(newest["2026-07"])["INR", "accept"][2] == -2000


def test_what_was_decided_before_a_month_was_run_again_is_booked_in_that_month(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    """Nights of July have the movements of these decisions too; the journal follows the statements."""
    with merchant_of(make_database(), tmp_path) as books:
        books.run(JUNE)
        books.run(Period(date(2026, 7, 1), date(2026, 7, 2)))
        books.decide("Asha Rao", ORD_2="write_off", ORD_3="accept")
        books.run(Period(date(2026, 7, 1), date(2026, 7, 3)))
        books.run(JUNE)
        books.run(JULY)
        books.decide("Asha Rao", ORD_6="accept")
        books.run(JULY)
        settings = replace(books.settings, journal=ACCOUNTS)
        for month, booked in (("2026-07", {"ORD-6"}), ("2026-06", {"ORD-2", "ORD-3"})):  # the later one first
            with books.engine.connect() as connection:
                statement = statement_of(connection, month, settings.timezone)
            decided = [one for one in statement.lines if one.line in ("accept", "write_off") and one.items]
            assert sum(one.items for one in decided) == len(booked)
            done = export_journal(books.engine, settings, month, "default", tmp_path)
            assert {line["reference"] for line in rows_of(done.files[0])} == booked
            assert list(done.left) == []


def test_what_replaces_an_exported_decision_is_booked_and_that_one_taken_back(
    quarter: Quarter, command: Command, tmp_path: Path
) -> None:
    accounts = Accounts(
        {"": "KS Pay"},
        {
            "accept": {"": {"": "Differences"}},
            "write_off": {"": {"": "Losses"}, "AMOUNT_MISMATCH": {"": None}},
        },
    )
    settings = replace(quarter.settings, journal=accounts)
    quarter.decide("Meera Nair", ORD_6="write_off", ORD_8="reopen", ORD_3="write_off")
    quarter.run(JULY)
    assert export_journal(quarter.engine, settings, "2026-07", "default", tmp_path).journal is None
    close_month(quarter.engine, quarter.settings, "2026-07", "Ravi Iyer", {}, quarter.folder / "reports")
    done = export_journal(quarter.engine, settings, "2026-07", "default", tmp_path)
    assert (done.journal, done.decisions, done.totals) == ("2026-07-2", 3, {"INR": "4010.00", "KWD": "0.500"})
    first, second = (
        export_journal(quarter.engine, settings, "2026-07", "default", tmp_path, again=True).files[number]
        for number in (0, 3)
    )
    booked = [
        (line["account"], line["debit"], line["credit"], line["narration"].partition(" of ")[0])
        for line in rows_of(second)
    ]
    assert booked == [
        ("KS Pay", "2000.00", "", "write_off"), ("Losses", "", "2000.00", "write_off"),
        ("KS Pay", "", "2000.00", "reversal"), ("Differences", "2000.00", "", "reversal"),
        ("KS Pay", "", "0.500", "reversal"), ("Losses", "0.500", "", "reversal"),
        # [journal] books nothing of its new decision.
        ("KS Pay", "", "10.00", "reversal"), ("Differences", "10.00", "", "reversal"),
    ]  # fmt: skip
    # Both are read back, in their order: the payment is one entry, and the other entry is as it was.
    stated = [
        [(line["ledger_id"], line["amount"]) for line in rows_of(path) if line["amount"]]
        for path in (first, second)
    ]
    [[payment, (entry, amount)], again] = stated
    assert (payment[1], entry, amount) == ("2000.00", "L-8", "10.500")
    assert again == [payment, ("L-8", "10.000"), ("L-3", "690.00")]
    for path in (first, second):
        command.good("ledger", "import", path)
    report = quarter.run(JULY, import_books=False)
    made = [row["ledger_ids"] for row in report.rows("matched") if row["ledger_ids"].startswith("J-")]
    assert made == [payment[0]]
    assert "ORD-8" in {row["reference"] for row in report.rows("discrepancies")}
    assert export_journal(quarter.engine, settings, "2026-07", "default", tmp_path).journal is None


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


KILLED = """
import os, signal, sys
from reconcile.cli.main import main
from reconcile.report import close_month
moment, *words = sys.argv[1:]
done = getattr(close_month, moment)
def die(*given):
    if moment == "_write_aside":
        done(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(close_month, moment, die)
sys.argv[1:] = words
main()
"""


def test_a_close_that_is_killed_leaves_no_version_without_its_files_for_long(
    quarter: Quarter, command: Command
) -> None:
    quarter.run(AUGUST)
    before = len(json.loads(command.good("close", "--list", "--json").out)["closed"])
    folder = command.folder / "reports" / "closed"
    there = {path.name for path in folder.glob("[!.]*")}

    def killed(moment: str) -> list[dict[str, object]]:
        words = [sys.executable, "-c", KILLED, moment, "close", "2026-08", "--by", "Ravi Iyer"]
        done = subprocess.run(words, cwd=command.folder, env=command.environment(), check=False)
        assert done.returncode == -signal.SIGKILL
        assert {path.name for path in folder.glob("[!.]*")} == there
        listed: list[dict[str, object]] = json.loads(command.good("close", "--list", "--json").out)["closed"]
        return listed

    # The files are written, and nothing is closed.
    assert len(killed("_write_aside")) == before
    # It is closed, and its files are not in place: the next command that shows the month puts them there.
    (*_, last) = listed = killed("_move_in_place")
    assert (len(listed), last["month"], last["version"]) == (before + 1, "2026-08", 3)
    command.good("report", "--period", "2026-08")
    content = json.loads((folder / "2026-08-v3" / "close.json").read_text("utf-8"))
    for name, of in content["files"].items():
        held = (folder / "2026-08-v3" / name).read_bytes()
        assert hashlib.sha256(held).hexdigest() == of["sha256"]
    assert [*folder.glob(".*")] == []
    assert "version 3 stands" in command.good("close", "2026-08", "--by", "Ravi Iyer").out
