"""The workbook of a run in a real spreadsheet program: the same cells as the files, totals worked out, given back."""

import csv
import re
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from reconcile.report.columns import AMOUNTS
from tests.support.driver import Command, MakeCommand, Report, Shop
from tests.support.office import Office

pytestmark = pytest.mark.desktop

EACH_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
SHEETS = {
    "Summary": "summary",
    "Discrepancies": "discrepancies",
    "Matched": "matched",
    "Quarantine": "quarantine",
}


@pytest.fixture(scope="module")
def command(small_shop: Shop, make_command: MakeCommand) -> Command:
    """The small shop, reconciled once, with a record in quarantine."""
    merchant, sandbox = small_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    with (command.folder / "ledger.csv").open("a", encoding="utf-8") as file:
        file.write("=SUM(1+1)\n")
    command.good("run", *days(small_shop), "--ledger", "ledger.csv")
    return command


def days(shop: Shop) -> tuple[str, ...]:
    return "--from", str(shop[0].first_day), "--to", str(shop[0].last_day)


def workbook(report: Report) -> Path:
    return report.folder / f"report-{report.run_id}.xlsx"


def sheets(office: Office, path: Path) -> dict[str, list[list[str]]]:
    """Every sheet as the program shows it."""
    office.convert(path, EACH_SHEET)
    found = {}
    for name in SHEETS:
        saved = office.folder / "out" / f"{path.stem}-{name}.csv"
        with saved.open(encoding="utf-8", newline="") as file:
            found[name] = list(csv.reader(file))
        saved.unlink()
    return found


def number(cell: str) -> Decimal:
    return Decimal(cell.replace(",", ""))


def test_every_sheet_says_what_its_file_says(office: Office, command: Command) -> None:
    report = command.latest()
    for sheet, cells in sheets(office, workbook(report)).items():
        header, *rows = cells
        wanted = report.rows(SHEETS[sheet])
        assert header == list(wanted[0])
        assert len(rows) == len(wanted) > 0
        for row, expected in zip(rows, wanted, strict=True):
            for name, cell in zip(header, row, strict=True):
                if name in AMOUNTS and expected[name]:
                    assert number(cell) == Decimal(expected[name]), name
                else:
                    assert cell == expected[name], name


def test_totals_are_worked_out_and_agree_with_the_summary(
    office: Office, command: Command, tmp_path: Path
) -> None:
    """The results that are stored in the file are spoilt first, so that only the program's own can agree."""
    report = command.latest()
    spoilt = tmp_path / workbook(report).name
    changed = 0
    with zipfile.ZipFile(workbook(report)) as source, zipfile.ZipFile(spoilt, "w") as target:
        for part in source.infolist():
            content = source.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                content, changed = re.subn(rb"</f><v>[^<]*</v>", b"</f><v>77</v>", content)
            target.writestr(part, content)
    assert changed >= 4
    header, *rows = sheets(office, spoilt)["Summary"]
    wanted = report.rows("summary")
    assert [(row[header.index("count")], number(row[header.index("amount")])) for row in rows] == [
        (row["count"], Decimal(row["amount"])) for row in wanted
    ]


def test_a_workbook_filled_in_and_saved_by_the_program_is_taken_back(
    office: Office, command: Command, small_shop: Shop
) -> None:
    report = command.latest()
    rows = report.rows("discrepancies")
    opened = office.convert(workbook(report), "fods")
    document = opened.read_text("utf-8")
    wanted = {}
    for row, (word, note) in zip(
        rows, (("accept", "known"), ("ignore", ""), ("write_off", "=SUM(1+1)")), strict=False
    ):
        # The two cells behind `facts` are blank, and may be written as one that is repeated.
        document, count = re.subn(
            rf"(<text:p>{row['facts']}</text:p>\s*</table:table-cell>)(\s*<table:table-cell[^>]*/>){{1,2}}",
            rf'\1<table:table-cell office:value-type="string"><text:p>{word}</text:p></table:table-cell>'
            rf'<table:table-cell office:value-type="string"><text:p>{note}</text:p></table:table-cell>',
            document,
            count=1,
        )
        assert count == 1
        wanted[row["discrepancy_id"]] = (word, note)
    opened.write_text(document, "utf-8")
    saved = office.convert(opened, "xlsx:Calc MS Excel 2007 XML")
    filled = saved.rename(command.folder / "filled.xlsx")
    assert "3 decisions" in command.good("resolve", filled, "--by", "Asha Rao").out
    command.good("run", *days(small_shop))
    resolved = {row["discrepancy_id"]: row for row in command.latest().rows("resolved")}
    assert {key: (row["resolution"], row["note"]) for key, row in resolved.items()} == wanted
