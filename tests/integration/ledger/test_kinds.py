"""Ledgers of every kind that are as they should be: the examples, archives, folders, queries, workbooks."""

import gzip
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter
from sqlalchemy import create_engine
from sqlalchemy import text as sql

from reconcile import pipeline
from reconcile.core.errors import InputRefused, ReconcileError, UsageError
from reconcile.core.money import Currencies
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.file import LedgerFile, open_ledgers, query_of
from reconcile.ledger.profile import Profile, read_profile
from reconcile.load import inspect_ledger as inspection
from reconcile.normalise import entries as normalise
from reconcile.settings import Settings
from tests.support.bad_ledgers import GOOD, GOOD2, NAMES, Sheet, cells, text, zipped
from tests.support.ledgers import open_ledger

EXAMPLES = Path(__file__).parents[3] / "examples" / "ledgers"


def typed(ledger: LedgerFile, profile: Profile) -> list[Entry | Rejection]:
    return list(
        normalise.entries(
            ledger.rows(),
            app_id="ap_1",
            source=profile.name,
            default_currency=profile.currency,
            currencies=Currencies(),
            style=ledger.style,
        )
    )


def read(ledger: LedgerFile, profile: Profile) -> list[tuple[str, str | None, str, str, str]]:
    """What is left of each entry that a person would compare."""
    return [
        (
            one.ledger_id,
            one.reference,
            f"{one.amount:f} {one.currency}",
            str(one.dated_on or one.dated_at),
            one.status,
        )
        for one in typed(ledger, profile)
        if isinstance(one, Entry)
    ]


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A working folder with the examples in it."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript((EXAMPLES / "shop.sql").read_text("utf-8"))
    database.close()
    monkeypatch.chdir(tmp_path)
    return Settings.read({"KSPAY_APP_ID": "ap_1"})


def test_the_example_of_tally(examples: Settings) -> None:
    profile = examples.profile("tally")
    ledger = open_ledger(Path("tally.csv"), profile=profile)
    assert read(ledger, profile) == [
        ("RCT/0001", "ORD-1001", "123456.78 INR", "2026-08-03", "Received"),
        ("RCT/0002", "ORD-1002", "2500.00 INR", "2026-08-04", "Received"),
        ("RCT/0003", "ORD-1003", "-1000.00 INR", "2026-08-13", "Refunded"),
    ]
    *_, total = typed(ledger, profile)
    assert isinstance(total, Rejection)
    assert (total.place.row, total.field) == (9, "date")


def test_the_example_of_zoho_books(examples: Settings) -> None:
    profile = examples.profile("zoho")
    assert read(open_ledger(Path("zoho_books.csv"), profile=profile), profile) == [
        ("PMT-00001", "ORD-1001", "3450.00 INR", "2026-08-03", "paid"),
        ("PMT-00002", "ORD-1002", "49.90 USD", "2026-08-04", "paid"),
        ("PMT-00003", "ORD-1003", "120.50 INR", "2026-08-13", "void"),
    ]


def test_the_example_of_quickbooks(examples: Settings) -> None:
    profile = examples.profile("quickbooks")
    assert read(open_ledger(Path("quickbooks.csv"), profile=profile), profile) == [
        ("1001", "ORD-1001", "1250.00 USD", "2026-08-03", ""),
        ("1002", "ORD-1002", "49.90 USD", "2026-08-04", ""),
        ("1003", "ORD-1003", "-20.00 USD", "2026-08-13", ""),
    ]


def test_the_example_of_a_shop(examples: Settings) -> None:
    profile = examples.profile("shop")
    ledger = query_of(profile)
    assert read(ledger, profile) == [
        ("P1", "ORD-1001", "3450.00 INR", "2026-08-03 03:45:00+00:00", "paid"),
        ("P2", "ORD-1002", "49.90 USD", "2026-08-04 16:10:00+00:00", "paid"),
        ("P3", "ORD-1003", "120.50 INR", "2026-08-13 05:35:00+00:00", "open"),
    ]
    first = ledger.sha256
    assert len(first) == 64
    list(ledger.rows())
    assert ledger.sha256 == first


def test_inspect_proposes_a_profile_that_works(examples: Settings) -> None:
    lines = list(inspection.describe(examples, Path("tally.csv"), examples.profile(None)))
    pasted = "\n".join(lines[lines.index("[ledger.NAME]") :])
    Path("reconcile.toml").write_text(pasted, "utf-8")
    profile = Settings.read({}).profile("NAME")
    assert len(read(open_ledger(Path("tally.csv"), profile=profile), profile)) == 3
    assert any("3 of 4 rows can be read" in line for line in lines)
    assert any(line.startswith("  row 9: date is missing") for line in lines)


def test_the_readme_shows_what_inspect_prints(examples: Settings) -> None:
    readme = (EXAMPLES.parents[1] / "README.md").read_text("utf-8")
    Path("reconcile.toml").unlink()
    settings = Settings.read({})
    shown = "\n".join(inspection.describe(settings, Path("tally.csv"), settings.profile(None)))
    assert f"prints there:\n\n```\n{shown}\n```\n" in readme


@pytest.mark.desktop
def test_a_workbook_of_libreoffice(tmp_path: Path) -> None:
    """Dates and numbers become real cells, formulas have results, and errors are cells of their own kind."""
    source = tmp_path / "a.csv"
    formula = '"=1+2.5",2026-08-03,INR,paid'
    source.write_text(
        f"Receipts\n\n{','.join(NAMES)}\n{GOOD}\nL2,x,{formula}\nL3,x,=1/0,2026-08-03,INR,paid\n"
    )
    options = "CSV:44,34,76,1,,1033,false,true,false,false,false,-1,true,true"
    program = [
        "soffice",
        f"-env:UserInstallation=file://{tmp_path}/profile",
        "--headless",
        f"--infilter={options}",
    ]
    subprocess.run(
        [*program, "--convert-to", "xlsx", "--outdir", str(tmp_path), str(source)],
        check=True,
        capture_output=True,
        timeout=100,
    )
    first, second, third = typed(open_ledger(tmp_path / "a.xlsx"), Profile("default"))
    assert isinstance(first, Entry)
    assert (first.amount, first.dated_on, first.place.row) == (Decimal("10.5"), date(2026, 8, 1), 4)
    assert isinstance(second, Entry)
    assert second.amount == Decimal("3.5")
    assert isinstance(third, Rejection)
    assert third.reason == "amount holds an error of a formula: correct it in the spreadsheet"


def test_inspect_tells_what_is_ambiguous(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text(GOOD.replace("2026-08-01", "03/04/2026")))
    lines = list(inspection.describe(Settings(), path, Profile("default")))
    assert any("may be 4 March 2026 or 3 April 2026" in line for line in lines)
    assert 'date_format = "%d/%m/%Y"   # or "%m/%d/%Y"' in lines
    path.write_bytes(text("1,5.00,,2026-08-01", header="Vch No,Debit,Credit,Date"))
    lines = list(inspection.describe(Settings(), path, Profile("default")))
    assert any("'Debit' is taken for money that came in" in line for line in lines)
    path.write_text("Dear colleague,\nthe ledger is attached\n")
    with pytest.raises(InputRefused, match=r"no row looks like a header [^;]*$"):
        list(inspection.describe(Settings(), path, Profile("default")))


def test_inspect_names_the_headings_that_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "Receipts of August\n\nReceipt;Ref.;Value (INR);Posting Dt;State\nR1;O1;10.50;2026-08-01;paid\n"
    )
    with pytest.raises(InputRefused) as refused:
        list(inspection.describe(Settings(), path, Profile("default")))
    line = str(refused.value)
    assert "if row 3 is it (Receipt, Ref., Value (INR), Posting Dt, State), say in a profile" in line
    assert line.endswith('columns = { ledger_id = "…", amount = "…", date = "…" }')


def test_inspect_refuses_a_repeated_column_as_an_import_does(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table = {"columns": {"ledger_id": "Voucher No", "amount": "Amount", "date": "Date"}, "currency": "INR"}
    path.write_bytes(text("V1,10.50,2026-08-01,3", header="Voucher No,Amount,Date,Amount"))
    for profile in (read_profile("x", table, Currencies()), Profile("default", currency="INR")):
        lines: list[str] = []
        with pytest.raises(InputRefused, match=r"row 1: the header repeats the column .*; keep one of them"):
            lines.extend(inspection.describe(Settings(app_ids=("ap_1",)), path, profile))
        assert lines[0].startswith("a.csv: CSV, comma")
        assert not any("can be read" in line for line in lines)
    with pytest.raises(InputRefused, match="the header repeats the column"):
        open_ledger(path, profile=read_profile("x", table, Currencies()))


def test_inspect_proposes_a_sheet_only_where_there_is_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    for names, profile, proposed in (
        (("August", "Notes"), Profile("default"), []),
        (("August", "Notes"), Profile("default", sheet="August"), ['sheet = "August"']),
        (("July", "August"), Profile("default"), ['sheet = "July"']),
    ):
        with xlsxwriter.Workbook(path) as book:
            for name in names:
                sheet = book.add_worksheet(name)
                if name == "Notes":
                    sheet.write_row(0, 0, ["call", "the", "bank"])
                    continue
                sheet.write_row(0, 0, ["Voucher No", "Amount", "Date", "Currency"])
                sheet.write_row(1, 0, ["V1", 10.5, "2026-08-01", "INR"])
        lines = inspection.describe(Settings(app_ids=("ap_1",)), path, profile)
        assert [line for line in lines if line.startswith("sheet = ")] == proposed


@pytest.mark.parametrize("kind", ["gz", "zip", "folder", "files"])
def test_several_files_at_once(kind: str, tmp_path: Path) -> None:
    first, second = text(GOOD), text(GOOD2)
    paths = [tmp_path / "in"]
    if kind == "gz":
        paths = [tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"]
        for path, content in zip(paths, (first, second), strict=True):
            path.write_bytes(gzip.compress(content))
    elif kind == "zip":
        paths[0].write_bytes(zipped(a__csv=first, b__xlsx=Sheet().rows(NAMES, cells("L2")).bytes()))
    elif kind == "folder":
        paths[0].mkdir()
        (paths[0] / "b.csv").write_bytes(second)
        (paths[0] / "a.csv").write_bytes(first)
        (paths[0] / ".DS_Store").write_bytes(b"\0")
        (paths[0] / "done").mkdir()
    else:
        paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
        paths[0].write_bytes(first)
        paths[1].write_bytes(second)
    found = open_ledgers(paths, Profile("default"))
    assert [row.values["ledger_id"] for ledger in found for row in ledger.rows()] == ["L1", "L2"]
    if kind == "zip":
        assert [ledger.name for ledger in found] == ["in/a.csv", "in/b.xlsx"]


def test_one_file_that_is_refused_refuses_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text(GOOD))
    (tmp_path / "b.csv").write_bytes(b"hello")
    with pytest.raises(InputRefused, match=r"b\.csv, row 1: the header lacks"):
        open_ledgers([tmp_path], Profile("default"))


def test_a_folder_of_sixty_files(tmp_path: Path, database_url: str) -> None:
    for number in range(60):
        rows = [f"L{number}-{row},ORD-{row},{number}.{row:02},2026-08-01,INR,paid" for row in range(1, 11)]
        broken = f"L{number}-x,ORD,many,2026-08-01,INR,paid"
        (tmp_path / f"day{number:02}.csv").write_bytes(text(*rows, rows[0], broken))
    settings = Settings(app_ids=("ap_1",), database_url=database_url)
    done = pipeline.import_files(settings, [tmp_path], None)
    assert len(done) == 60
    assert [sum(getattr(one, name) for one in done) for name in ("records", "added", "repeats", "quarantined")] == [
        720, 600, 60, 60,
    ]  # fmt: skip
    engine = create_engine(database_url)
    with engine.connect() as connection:
        total = connection.scalar(sql("select sum(amount) from reconcile.entries where source = 'default'"))
    engine.dispose()
    assert total == sum(Decimal(f"{number}.{row:02}") for number in range(60) for row in range(1, 11))


def test_a_query_of_postgres_keeps_digits_and_zones(make_database: Callable[[], str]) -> None:
    url = make_database()
    profile = Profile(
        "shop",
        url=url,
        query="select 'L1' as ledger_id, 12345678901234567890.10::numeric as amount, 'INR' as currency,"
        " timestamptz '2026-08-01 23:30:00+00' as date union all"
        " select 'L2', 2.50, 'INR', null where '50%' = '50%' and ':x' <> ''",
    )
    first, second = typed(query_of(profile), profile)
    assert isinstance(first, Entry)
    assert (first.amount, first.dated_at) == (
        Decimal("12345678901234567890.10"),
        datetime(2026, 8, 1, 23, 30, tzinfo=UTC),
    )
    assert isinstance(second, Rejection)
    assert second.field == "date"
    writing = Profile("shop", url=url, query="create table t (a int)")
    with pytest.raises(InputRefused, match="the query cannot be read"):
        query_of(writing)


@pytest.mark.parametrize(
    ("table", "environ", "says"),
    [
        ({"url": "postgresql://u:s3cr3t@127.0.0.1:1/x?application_name=h1dden"}, {}, "the query cannot be read"),
        ({"url": "not a url s3cr3t"}, {}, "is not a database URL"),
        ({"url": "nosuch://u:s3cr3t@host/x"}, {}, "url:"),
        ({"url": "sqlite:///missing.db"}, {}, "there is no SQLite file missing.db"),
        ({"url_env": "SHOP_URL"}, {}, "SHOP_URL is not set"),
        ({"url_env": "SHOP_URL"}, {"SHOP_URL": "postgresql://u:s3cr3t@127.0.0.1:1/x"}, "the query cannot be read"),
        ({"url_file": "nowhere"}, {}, "nowhere cannot be read"),
        ({"url": "sqlite://", "query": "select 1 as ledger_id"}, {}, "lacks the columns amount, date"),
        ({"url": "sqlite://", "query": "selekt"}, {}, "syntax error"),
    ],
)  # fmt: skip
def test_a_query_that_fails_says_no_secret(
    table: dict[str, object], environ: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    profile = read_profile("shop", {"query": "select 1", **table}, Currencies())
    with pytest.raises(ReconcileError) as failed:
        query_of(profile)
    line = str(failed.value)
    assert line.startswith("[ledger.shop]")
    assert says in line
    assert "s3cr3t" not in line + repr(profile)
    assert "h1dden" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("text", "must be a table"),
        ({"colums": {}}, "unknown key 'colums'"),
        ({"currency": "XBT"}, "no currency that is known"),
        ({"currency": 5}, "must be a text"),
        ({"columns": {"id": "x"}}, "no standard column"),
        ({"columns": {"ledger_id": "a", "reference": "A "}}, "one header twice"),
        ({"columns": {"amount": "a", "amount_in": "b", "amount_out": "c"}}, "either amount, or"),
        ({"columns": {"amount_in": "b"}}, "or neither"),
        ({"decimal": ";"}, "must be one of"),
        ({"decimal": ",", "thousands": ","}, "are both ','"),
        ({"date_format": "%d/%m"}, "must hold a day, a month and a year"),
        ({"date_format": "%Y-%d-%m"}, "contradicts ISO 8601"),
        ({"query": "select 1"}, "needs query and one of url"),
        ({"url": "sqlite://", "url_env": "X", "query": "select 1"}, "url and url_env are both set"),
    ],
)
def test_a_profile_that_cannot_be(table: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_profile("x", table, Currencies())


def test_a_profile_without_a_query_needs_a_file() -> None:
    with pytest.raises(UsageError, match="has no query"):
        open_ledgers([], Profile("tally"))


def test_real_cells_of_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(Sheet().rows(NAMES, cells(7, "0012", 0.1 + 0.2, datetime(2026, 8, 1, 23, 59))).bytes())  # noqa: DTZ001
    (entry,) = typed(open_ledger(path), Profile("default"))
    assert isinstance(entry, Entry)
    assert (entry.ledger_id, entry.reference, entry.amount, entry.dated_on) == (
        "7",
        "0012",
        Decimal("0.3"),
        date(2026, 8, 1),
    )


def test_dates_counted_from_1904(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(Sheet().rows(NAMES, cells()).bytes((b"<workbookPr ", b'<workbookPr date1904="1" ')))
    (entry,) = typed(open_ledger(path), Profile("default"))
    assert isinstance(entry, Entry)
    assert entry.dated_on == date(2030, 8, 2), (
        "four years and a day later than the same number counted from 1900"
    )


def test_a_compressed_file_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    content = text(GOOD)
    (tmp_path / "a.csv").write_bytes(content)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(content))
    assert len({open_ledger(tmp_path / name).sha256 for name in ("a.csv", "a.csv.gz")}) == 1


def test_rows_below_blank_ones_keep_their_numbers_and_their_faults(tmp_path: Path) -> None:
    """A table that begins in C3: the row with an error is the one that the spreadsheet shows it in."""
    path = tmp_path / "offset.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(
            [
                ["ledger_id", "amount", "date"],
                ["A", 1, "2026-03-01"],
                ["B", None, "2026-03-01"],
                ["C", 3, "2026-03-01"],
            ],
            start=2,
        ):
            sheet.write_row(row, 2, cells)
        sheet.write_formula(4, 3, "=NA()", None, "#N/A")
    inr = Profile("default", currency="INR")
    one, broken, other = typed(open_ledger(path, profile=inr), inr)
    assert isinstance(broken, Rejection)
    assert (broken.place.row, broken.field) == (5, "amount")
    assert [entry.ledger_id for entry in (one, other) if isinstance(entry, Entry)] == ["A", "C"]
