"""What `reconcile ledger inspect` says of a file, and the profile that it proposes."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import xlsxwriter

from reconcile.core.errors import InputRefused
from reconcile.core.money import Currencies
from reconcile.ledger.profile import Profile, read_profile
from reconcile.load import inspect_ledger as inspection
from reconcile.settings import Settings
from tests.support.bad_ledgers import GOOD, text
from tests.support.ledgers import open_ledger, read

PAGE = Path(__file__).parents[3] / "docs" / "ledger-profiles.md"


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(app_ids=("ap_1",), database_url=database_url)


def test_inspect_proposes_a_profile_that_works(examples: Settings, database_url: str) -> None:
    settings = replace(examples, database_url=database_url)
    lines = list(inspection.describe(settings, Path("tally.csv"), examples.profile(None)))
    pasted = "\n".join(lines[lines.index("[ledger.NAME]") :])
    Path("reconcile.toml").write_text(pasted, "utf-8")
    profile = Settings.read({}).profile("NAME")
    assert len(read(open_ledger(Path("tally.csv"), profile=profile), profile)) == 3
    assert any("3 of 3 rows can be read" in line for line in lines)
    assert any(line.startswith("  row 9: a line of totals") for line in lines)


def test_the_docs_show_what_inspect_prints(examples: Settings, database_url: str) -> None:
    page = PAGE.read_text("utf-8")
    Path("reconcile.toml").unlink()
    settings = Settings.read({"RECONCILE_DATABASE_URL": database_url})
    shown = "\n".join(inspection.describe(settings, Path("tally.csv"), settings.profile(None)))
    assert f"prints:\n\n```\n{shown}\n```\n" in page


def test_a_file_may_be_inspected_with_the_profile_of_a_query(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text(GOOD))
    table = {"query": "select * from book", "url_env": "BOOK_URL"}
    lines = list(inspection.describe(settings, path, read_profile("erp", table, Currencies())))
    assert '# query = "select * from book"   # and url, url_file or url_env as before' in lines


def test_inspect_tells_what_is_ambiguous(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text(GOOD.replace("2026-08-01", "03/04/2026")))
    lines = list(inspection.describe(settings, path, Profile("default")))
    assert any("may be 4 March 2026 or 3 April 2026" in line for line in lines)
    assert 'date_format = "%d/%m/%Y"   # or "%m/%d/%Y"' in lines
    path.write_bytes(text("1,5.00,,2026-08-01", header="Vch No,Debit,Credit,Date"))
    lines = list(inspection.describe(settings, path, Profile("default")))
    assert any("'Debit' is taken for money that came in" in line for line in lines)
    path.write_text("Dear colleague,\nthe ledger is attached\n")
    with pytest.raises(InputRefused, match=r"no row looks like a header [^;]*$"):
        list(inspection.describe(settings, path, Profile("default")))


def test_inspect_says_where_the_proposed_profile_makes_less(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"L{n},{n}.00{' Cr' * (n == 2)},2026-08-01,INR\n" for n in range(1, 6))
    path.write_text(f"ledger_id,amount,date,currency\n{rows}")
    lines = list(inspection.describe(settings, path, Profile("default")))
    made = lines.index("An import makes of it: 4 entries, 0 repeated, 1 in quarantine, 0 passed over.")
    assert lines[made + 1 : made + 3] == [
        "With the profile proposed below: 1 entry, 0 repeated, 4 in quarantine, 0 passed over.",
        "That is less: take from the profile only what you know to be right.",
    ]


def test_inspect_names_the_headings_that_it_does_not_know(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "Receipts of August\n\nReceipt;Ref.;Value (INR);Posting Dt;State\nR1;O1;10.50;2026-08-01;paid\n"
    )
    with pytest.raises(InputRefused) as refused:
        list(inspection.describe(settings, path, Profile("default")))
    line = str(refused.value)
    assert "if row 3 is it (Receipt, Ref., Value (INR), Posting Dt, State), say in a profile" in line
    assert line.endswith('columns = { ledger_id = "…", amount = "…", date = "…" }')


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; a ledger needs a header row"),
        (b"\n  \n,,\n", "is empty; a ledger needs a header row"),
        (Random(1).randbytes(3000), "is binary data, not a table"),
    ],
)
def test_inspect_refuses_what_is_no_table_in_the_words_of_an_import(
    tmp_path: Path, settings: Settings, content: bytes, says: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputRefused, match=says) as imported:
        open_ledger(path)
    with pytest.raises(InputRefused) as inspected:
        list(inspection.describe(settings, path, Profile("default")))
    assert str(inspected.value) == str(imported.value)


def test_inspect_shows_no_bytes_that_are_not_text(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a\x01b,c\x02d,e\x03f\none,two\n")
    with pytest.raises(InputRefused) as refused:
        list(inspection.describe(settings, path, Profile("default")))
    assert "if row 2 is it (one, two), say in a profile" in str(refused.value)


def test_inspect_refuses_a_repeated_column_as_an_import_does(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.csv"
    table = {"columns": {"ledger_id": "Voucher No", "amount": "Amount", "date": "Date"}, "currency": "INR"}
    path.write_bytes(text("V1,10.50,2026-08-01,3", header="Voucher No,Amount,Date,Amount"))
    for profile in (read_profile("x", table, Currencies()), Profile("default", currency="INR")):
        lines: list[str] = []
        with pytest.raises(InputRefused, match=r"row 1: the header repeats the column .*; keep one of them"):
            lines.extend(inspection.describe(settings, path, profile))
        assert lines[0].startswith("a.csv: CSV, comma")
        assert not any("can be read" in line for line in lines)
    with pytest.raises(InputRefused, match="the header repeats the column"):
        open_ledger(path, profile=read_profile("x", table, Currencies()))


def test_inspect_proposes_a_sheet_only_where_there_is_a_choice(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.xlsx"
    for names, profile, proposed in (
        (("August", "Notes"), Profile("default"), []),
        (("August", "Notes"), Profile("default", sheets=("August",)), ['sheet = "August"']),
        (
            ("July", "August"),
            Profile("default"),
            ['sheet = "*"   # all that have the header: "July", "August"'],
        ),
    ):
        with xlsxwriter.Workbook(path) as book:
            for name in names:
                sheet = book.add_worksheet(name)
                if name == "Notes":
                    sheet.write_row(0, 0, ["call", "the", "bank"])
                    continue
                sheet.write_row(0, 0, ["Voucher No", "Amount", "Date", "Currency"])
                sheet.write_row(1, 0, ["V1", 10.5, "2026-08-01", "INR"])
        lines = inspection.describe(settings, path, profile)
        assert [line for line in lines if line.startswith("sheet = ")] == proposed
