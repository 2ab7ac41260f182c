"""The close of a month, after nights with late changes, decisions and reopenings; and what is drawn again."""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from python_calamine import load_workbook
from sqlalchemy import Engine, text

from reconcile.core.dialect import Dialect
from reconcile.core.discrepancies import TYPES, Aspect
from reconcile.core.errors import CheckFailed, InputRefused, UsageError
from reconcile.core.money import grouped
from reconcile.core.records import Period
from reconcile.db.engine import open_store
from reconcile.decide import resolve as decisions
from reconcile.decide.sheet import open_sheet
from reconcile.kspay import Credentials
from reconcile.pipeline import Request, reconcile_period
from reconcile.report.close_month import warnings_of
from reconcile.report.csv_files import point_latest
from reconcile.report.render import render_again
from reconcile.report.statement import LINES, Statement, statement_of
from reconcile.report.statement_files import write_statement
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve
from reconcile.settings import Settings
from tests.support.driver import Command, MakeCommand, Report

FIRST = date(2026, 7, 25)
Row = dict[str, str]
Key = tuple[str, str]
"""Currency and line."""


def read_statement(engine: Engine, month: str) -> Statement:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        return statement_of(connection, month, ZoneInfo("Asia/Kolkata"))


class Month:
    """Seven runs around August, the sixth of them the close of August once more; and what was done between."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.merchant = Merchant.made_up(3, FIRST, 48)
        self.reports: list[Report] = []
        self.ids: dict[str, str] = {}
        self.ledger = folder / "ledger.csv"
        self.merchant.write_ledger(self.ledger)
        with self.ledger.open(encoding="utf-8-sig", newline="") as file:
            self.books = {row["ledger_id"]: row for row in csv.DictReader(file)}
        with serve(self.merchant) as sandbox:
            app = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
            self.settings = replace(Settings(database_url=url), apps=(app,), app_ids=(app.app_id,))
            self.live(sandbox)

    def live(self, sandbox: Sandbox) -> None:
        late, decided, growing, spoilt = self.plain_payments()
        missing = {late: self.books.pop(late), decided: self.books.pop(decided)}
        self.run(date(2026, 7, 31))
        self.note("late", missing[late])
        self.note("decided", missing[decided])

        self.books[late] = missing[late]
        self.add(growing, 1)
        self.run(date(2026, 8, 10))
        self.note("growing", self.books[growing])

        self.decide(self.ids["decided"], "write_off")
        self.add(growing, 2)
        self.run(date(2026, 8, 20))

        # Its facts change after the decision.
        sandbox.change(missing[decided]["transaction_id"], amount="777.00")
        self.add(spoilt, 5)
        self.run(date(2026, 8, 31))
        self.note("spoilt", self.books[spoilt])
        self.run(date(2026, 9, 5))
        with self.engine() as engine:
            self.first_close = read_statement(engine, "2026-08")

        # The close of August once more, with a correction of September.
        self.add(growing, -3)
        self.run(date(2026, 8, 31))
        with self.engine() as engine:
            self.between = read_statement(engine, "2026-09")
        self.run(date(2026, 9, 10))
        with self.engine() as engine:
            self.august = read_statement(engine, "2026-08")
            self.september = read_statement(engine, "2026-09")

    def plain_payments(self) -> list[str]:
        """Four entries in rupees of July that name a payment with nothing wrong."""
        planted = {key for case in self.merchant.planted for key in case.transaction_ids}
        paid = {
            one["id"]: Decimal(one["amount"])
            for one in self.merchant.transactions
            if str(one["status"]).lower() == "success" and one["id"] not in planted
        }
        named = Counter(row["transaction_id"] for row in self.books.values())
        return [
            key
            for key, row in self.books.items()
            if "2026-07-26" <= row["date"] <= "2026-07-28"
            and row["currency"] == "INR"
            and named[row["transaction_id"]] == 1
            and paid.get(row["transaction_id"]) == Decimal(row["amount"])
        ][:4]

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        with open_store(self.settings) as engine:
            yield engine

    def run(self, last: date) -> None:
        with self.ledger.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(next(iter(self.books.values()))))
            writer.writeheader()
            writer.writerows(self.books.values())
        request = Request(Period(FIRST, last), ledger=self.ledger, out=self.folder / "reports")
        self.reports.append(Report(reconcile_period(self.settings, request).folder))

    def add(self, ledger_id: str, amount: int) -> None:
        self.books[ledger_id]["amount"] = str(Decimal(self.books[ledger_id]["amount"]) + amount)

    def note(self, name: str, entry: Row) -> None:
        """Remember the one discrepancy of an entry's transaction."""
        rows = self.reports[-1].rows("discrepancies")
        (self.ids[name],) = (
            row["discrepancy_id"] for row in rows if row["transaction_id"] == entry["transaction_id"]
        )

    def decide(self, discrepancy_id: str, word: str) -> None:
        rows = self.reports[-1].rows("discrepancies")
        row = next(row for row in rows if row["discrepancy_id"] == discrepancy_id)
        path = self.folder / "decided.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow({**row, "resolution": word})
        with self.engine() as engine:
            decisions.resolve_sheet(engine, self.settings, open_sheet(path), "Asha Rao")


@pytest.fixture(scope="module")
def month(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Month:
    return Month(make_database(), tmp_path_factory.mktemp("month"))


def lines(statement: Statement) -> dict[Key, tuple[int, int, Decimal]]:
    """By currency and line: items, count, amount; the lines of nothing left out."""
    return {
        (one.currency, one.line): (one.items, one.count, one.amount) for one in statement.lines if one.items
    }


def stake(row: Row) -> tuple[str, Decimal]:
    both = row["kspay_amount"] or row["ledger_amount"]
    if row["type"] == "REFUND_MISMATCH":
        difference = Decimal(row["kspay_refunded"] or 0) - Decimal(row["ledger_refunded"])
        return row["currency"], abs(difference)
    written = (row["difference"] if TYPES[row["type"]].aspect is Aspect.AMOUNT else "") or both
    return row["currency"].partition(";")[0], abs(Decimal(written or 0))


def from_files(reports: list[Report]) -> dict[Key, tuple[int, int, Decimal]]:
    """The statement by plain comparison of what one report after the other lists."""
    found: defaultdict[Key, tuple[int, int, Decimal]] = defaultdict(lambda: (0, 0, Decimal(0)))
    seen: set[str] = set()

    def add(currency: str, line: str, count: int, amount: Decimal) -> None:
        items, counted, summed = found[currency, line]
        found[currency, line] = (items + 1, counted + count, summed + amount)

    state: dict[str, Row] = {}
    for number, report in enumerate(reports):
        rows = {row["discrepancy_id"]: row for row in report.rows("discrepancies")}
        resolved = {row["discrepancy_id"]: row["resolution"] for row in report.rows("resolved")}
        if number == 0:
            for row in rows.values():
                add(stake(row)[0], "opening", 1, stake(row)[1])
        else:
            for key in rows.keys() - state.keys():
                again = key in seen or rows[key]["status"] == "reopened"
                add(stake(rows[key])[0], "reopened" if again else "new", 1, stake(rows[key])[1])
            for key in state.keys() - rows.keys():
                add(stake(state[key])[0], resolved.get(key, "cleared"), -1, -stake(state[key])[1])
            for key in rows.keys() & state.keys():
                if rows[key]["facts"] != state[key]["facts"]:
                    currency, amount = stake(rows[key])
                    assert currency == stake(state[key])[0]
                    add(currency, "changed", 0, amount - stake(state[key])[1])
        state, seen = rows, seen | rows.keys()
    for row in state.values():
        add(stake(row)[0], "closing", 1, stake(row)[1])
    return dict(found)


def test_the_statement_is_what_one_report_after_the_other_says(month: Month) -> None:
    july, tenth, twentieth, last, september, again, end = month.reports
    assert lines(month.first_close) == from_files([july, tenth, twentieth, last])
    assert lines(month.august) == from_files([july, tenth, twentieth, last, again])
    opening, closing = month.august.opening, month.august.closing
    assert [one.run_id for one in (*opening.values(), *closing.values())] == [july.run_id, again.run_id]
    assert september.run_id != end.run_id


def test_every_line_adds_up_and_a_month_opens_as_the_last_one_closed(month: Month) -> None:
    for statement in (month.first_close, month.august, month.between, month.september):
        assert {one.line for one in statement.lines} == set(LINES)
        for currency in {one.currency for one in statement.lines}:
            *terms, closing = (one for one in statement.lines if one.currency == currency)
            assert sum(one.count for one in terms) == closing.count
            assert sum(one.amount for one in terms) == closing.amount
    closed = {key[0]: found for key, found in lines(month.august).items() if key[1] == "closing"}
    for later in (month.between, month.september):
        assert {key[0]: found for key, found in lines(later).items() if key[1] == "opening"} == closed
    # And the end of September is what its last run reports.
    rows = Counter(stake(row)[0] for row in month.reports[-1].rows("discrepancies"))
    assert {key[0]: one[1] for key, one in lines(month.september).items() if key[1] == "closing"} == rows


def test_who_closes_a_month_before_the_one_before_it_is_warned(month: Month) -> None:
    with month.engine() as engine, engine.connect() as connection:
        warnings = warnings_of(connection, month.august)
    assert warnings == (
        "2026-07 is not closed, so 2026-08 opens as its newest run ended: close 2026-07, and then 2026-08 again",
    )


def test_each_thing_that_happened_stands_in_its_line(month: Month) -> None:
    moved = defaultdict(list)
    for one in month.august.movements:
        moved[one.discrepancy_id].append((one.line, one.count, one.amount, one.run_id))
    run = {number: report.run_id for number, report in enumerate(month.reports)}
    said = {name: [found[:2] for found in moved[key]] for name, key in month.ids.items()}
    assert said == {
        "late": [("cleared", -1)],
        "decided": [("write_off", -1), ("reopened", 1)],
        "growing": [("new", 1), ("changed", 0), ("cleared", -1)],
        "spoilt": [("new", 1)],
    }
    assert [found[2:] for found in moved[month.ids["growing"]]] == [
        (Decimal(1), run[1]), (Decimal(2), run[2]), (Decimal(-3), run[5]),
    ]  # fmt: skip
    assert moved[month.ids["decided"]][1][2:] == (Decimal(777), run[3])
    who = {(one.line, one.decision, one.by) for one in month.august.movements if one.decision}
    assert who == {("write_off", "write_off", "Asha Rao"), ("reopened", "write_off", "Asha Rao")}


def test_the_files_of_a_statement_hold_its_lines_and_their_items(month: Month, tmp_path: Path) -> None:
    paths = write_statement(month.august, month.settings.currencies, Dialect.COMMA, tmp_path / "close")
    assert [path.name for path in paths] == [
        "statement-2026-08.csv",
        "statement-2026-08-items.csv",
        "statement-2026-08-signoff.csv",
        "statement-2026-08.xlsx",
        "statement-2026-08.html",
    ]
    tables = [list(csv.DictReader(path.open(encoding="utf-8-sig", newline=""))) for path in paths[:3]]
    for one in tables[0]:
        behind = [
            Decimal(item["amount"])
            for item in tables[1]
            if (item["currency"], item["line"]) == (one["currency"], one["line"])
        ]
        assert (len(behind), sum(behind)) == (int(one["items"]), Decimal(one["amount"]))
    assert [(one["role"], one["name"], one["decisions"]) for one in tables[2]] == [
        ("preparer", "Asha Rao", "1"), ("approver", "", ""),
    ]  # fmt: skip
    late = next(one for one in tables[1] if one["discrepancy_id"] == month.ids["late"])
    assert (late["side"], late["record"][:3]) == ("kspay", "tx_")
    page = paths[4].read_text("utf-8")
    for line in month.august.lines:
        assert grouped(month.settings.currencies.written(line.amount, line.currency), line.currency) in page
    assert page.count("Signature, date") == 2
    assert "Not closed yet" in page
    book = load_workbook(paths[3])
    rows = book.get_sheet_by_name("Statement").to_python()[1:]
    assert [(row[2], row[3], Decimal(f"{row[5]:.2f}")) for row in rows if row[1] == "INR"] == [
        (line.line, line.items, line.amount) for line in month.august.lines if line.currency == "INR"
    ]
    assert len(book.get_sheet_by_name("Items").to_python()) == len(tables[1]) + 1
    before = [path.read_bytes() for path in paths]
    with month.engine() as engine:
        again = read_statement(engine, "2026-08")
        write_statement(again, month.settings.currencies, Dialect.COMMA, tmp_path / "close")
    assert [path.read_bytes() for path in paths] == before
    assert sorted((tmp_path / "close").iterdir()) == sorted(paths)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_statement(month.august, month.settings.currencies, Dialect.COMMA, tmp_path / "file" / "below")


TAMPERED = (
    "update movements set amount = amount + 1 where kind = 'new' and run = (select min(run) from movements)",
    "delete from movements where kind = 'resolved'",
    "update movements set amount = amount + 1 where kind = 'changed'",
    "update runs set report = jsonb_set(report, '{open,0,count}', '99') where period_last = '2026-08-31'",
)


@pytest.mark.parametrize("change", TAMPERED)
def test_a_statement_that_does_not_add_up_is_an_error(month: Month, change: str) -> None:
    with (
        month.engine() as engine,
        tampered(engine, change),
        pytest.raises(CheckFailed, match="does not add up"),
    ):
        read_statement(engine, "2026-08")


@contextmanager
def tampered(engine: Engine, change: str) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text("create table kept_movements as select * from movements"))
        connection.execute(text("create table kept_runs as select run_id, report from runs"))
        assert connection.execute(text(change)).rowcount
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(text("delete from movements"))
            connection.execute(text("insert into movements select * from kept_movements"))
            connection.execute(
                text("update runs set report = k.report from kept_runs as k where k.run_id = runs.run_id")
            )
            connection.execute(text("drop table kept_movements, kept_runs"))


def test_a_month_without_a_run_has_no_statement(month: Month) -> None:
    with month.engine() as engine:
        for empty, last in (("2026-06", 30), ("2026-10", 31)):
            with pytest.raises(UsageError, match=f"--period {empty}: no finished run") as error:
                read_statement(engine, empty)
            assert f"run it with reconcile run --from {empty}-01 --to {empty}-{last};" in str(error.value)


def test_a_run_of_long_ago_is_drawn_again_as_it_was(month: Month) -> None:
    report = month.reports[2]
    names = sorted(path.name for path in report.folder.iterdir())
    before = {name: (report.folder / name).read_bytes() for name in names}
    document = report.document()
    assert [one["run_id"] for one in document["runs_before"]] == [one.run_id for one in month.reports[1::-1]]
    (report.folder / "report.html").write_text("gone")
    with month.engine() as engine:
        paths = render_again(engine, report.run_id)
    assert [path.name for path in paths] == ["report.html", f"report-{report.run_id}.xlsx"]
    assert {name: (report.folder / name).read_bytes() for name in names} == before
    assert sorted(path.name for path in report.folder.parent.iterdir() if path.name.startswith(".")) == []


def test_a_run_is_compared_with_runs_of_its_kind_as_of_earlier_days(month: Month) -> None:
    documents = [report.document() for report in month.reports]
    glances = [document["at_a_glance"] for document in documents]
    assert [one["kind"] for one in glances] == ["nights"] * 3 + ["longer"] * 4
    last = [one["last"] and one["last"]["run_id"] for one in glances]
    # The sixth is the close of August once more: the run of September is none before it.
    order = [None, 0, 1, None, 3, 3, 4]
    assert last == [None if place is None else month.reports[place].run_id for place in order]
    assert [len(document["runs_before"]) for document in documents] == [0, 1, 2, 0, 1, 1, 3]
    for glance, report in zip(glances, month.reports, strict=True):
        parts: Counter[str] = Counter()
        for row in report.rows("discrepancies"):
            if row["severity"] != "info":
                parts["at_risk" if row["severity"] == "high" else "to_check"] += 1
            parts["timing"] += row["type"] == "TIMING_DIFFERENCE"
            parts["in_quarantine"] += row["type"] == "INVALID_RECORD"
        told: Counter[str] = Counter()
        for row in glance["parts"]:
            told[row["part"]] += row["count"]
        assert told == +parts
        if glance["last"]:
            (before,) = (
                one for one in glances if glance["last"]["run_id"] == month.reports[glances.index(one)].run_id
            )
            assert glance["last"]["parts"] == before["parts"]


def test_two_that_draw_the_same_run_do_not_get_in_each_others_way(month: Month) -> None:
    report = month.reports[1]
    before = {path.name: path.read_bytes() for path in report.folder.iterdir()}
    with month.engine() as engine, ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: render_again(engine, report.run_id), range(8)))
    assert len(drawn) == 8
    assert {path.name: path.read_bytes() for path in report.folder.iterdir()} == before


def test_runs_of_several_apps_point_latest_in_the_same_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda number: point_latest(tmp_path, f"run_{number % 8}"), range(2000)):
            assert (tmp_path / "latest").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_nothing_is_drawn_from_a_file_that_is_not_the_runs(month: Month) -> None:
    report = month.reports[1]
    page = (report.folder / "report.html").read_bytes()
    for name, spoilt in (
        ("discrepancies.csv", report.raw("discrepancies").replace(b"high", b"low")),
        ("run.json", json.dumps({**report.document(), "new": 0}).encode()),
        ("run.json", b"[]"),
    ):
        path = report.folder / name
        kept = path.read_bytes()
        path.write_bytes(spoilt)
        try:
            with (
                month.engine() as engine,
                pytest.raises(InputRefused, match=f"{name} is not what the run wrote"),
            ):
                render_again(engine, report.run_id)
        finally:
            path.write_bytes(kept)
        assert (report.folder / "report.html").read_bytes() == page


@pytest.fixture(scope="module")
def command(month: Month, make_command: MakeCommand) -> Command:
    return make_command(None, RECONCILE_DATABASE_URL=month.url)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--period", "2026-13"), "--period '2026-13' is not a month; write it as 2026-08"),
        (("--period", "August"), "--period 'August' is not a month"),
        (("--period", "2026-8"), "--period '2026-8' is not a month"),
        (("--period", "2026-08-01"), "--period '2026-08-01' is not a month"),
        ((), "give either a run, as reconcile runs lists them, or --period"),
        (("latest", "--period", "2026-08"), "give either a run"),
        (("nonsense",), "no run nonsense is known here"),
    ],
)
def test_wrong_use_is_one_line(command: Command, words: tuple[str, ...], complaint: str) -> None:
    outcome = command("report", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert complaint in outcome.complaint


def test_the_command_prints_the_statement_and_where_it_is(month: Month, command: Command) -> None:
    said = command.good("report", "--period", "2026-09", "--out", "close").out.splitlines()
    assert said[0] == "Close statement of 2026-09"
    assert month.reports[5].run_id in said[1]
    assert "warning: no run is as of 2026-09-30 yet" in said[2]
    assert said[-5:-3] == ["close/statement-2026-09.csv", "close/statement-2026-09-items.csv"]
    (rupees,) = (one for one in month.september.lines if (one.currency, one.line) == ("INR", "closing"))
    shown = next(line.split() for line in said if line.strip().startswith("closing"))
    assert shown[1:3] == [f"{rupees.items:,}"] * 2
    assert shown[3].replace(",", "") == f"{rupees.amount:f}"
    drawn = command.good("report", month.reports[-1].run_id).out.splitlines()
    last = month.reports[-1]
    assert drawn == [str(last.folder / name) for name in ("report.html", f"report-{last.run_id}.xlsx")]
