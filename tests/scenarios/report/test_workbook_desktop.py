"""The workbook of a run in a real spreadsheet program: the same cells as the files, totals worked out, given back."""

import csv
import re
import shutil
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from reconcile.report.bridge import LINES
from reconcile.report.columns import AMOUNTS
from reconcile.report.workbook import readable
from tests.support.driver import Command, MakeCommand, Report, Shop
from tests.support.office import Office

pytestmark = pytest.mark.desktop

EACH_SHEET = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
SHEETS = {
    "Discrepancies": "discrepancies",
    "Matched": "matched",
    "Bridge rows": "bridge",
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
    for name in ("Summary", *SHEETS):
        saved = office.folder / "out" / f"{path.stem}-{name}.csv"
        with saved.open(encoding="utf-8", newline="") as file:
            found[name] = list(csv.reader(file))
        saved.unlink()
    return found


def number(cell: str) -> Decimal:
    return Decimal(cell.replace(",", ""))


ROW = re.compile(r"(<table:table-row\b[^>]*>)(.*?)</table:table-row>", re.DOTALL)
CELL = re.compile(r"<table:table-cell\b(?:[^>]*/>|.*?</table:table-cell>)", re.DOTALL)
REPEATED = re.compile(r' table:number-columns-repeated="(\d+)"')


def fill(path: Path, decisions: dict[str, tuple[str, str]]) -> None:
    """Write a resolution and a note into the rows of these discrepancies, as a person does."""
    document = path.read_text("utf-8")
    start = document.index('table:name="Discrepancies"')
    end = document.index("</table:table>", start)
    header: list[str] = []

    def filled(row: re.Match[str]) -> str:
        cells = []
        for cell in CELL.findall(row[2]):
            # One that is repeated becomes as many.
            number = REPEATED.search(cell)
            cells += [REPEATED.sub("", cell)] * (min(int(number[1]), 60) if number else 1)
        values = [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells]
        header[:] = header or values
        for name, value in zip(("resolution", "note"), decisions.get(values[0], ()), strict=False):
            cells[header.index(name)] = (
                f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
            )
        return f"{row[1]}{''.join(cells)}</table:table-row>"

    path.write_text(document[:start] + ROW.sub(filled, document[start:end]) + document[end:], "utf-8")


def test_every_sheet_says_what_its_file_says(office: Office, command: Command) -> None:
    report = command.latest()
    shown = sheets(office, workbook(report))
    for sheet in SHEETS:
        header, *rows = shown[sheet]
        wanted = report.rows(SHEETS[sheet])
        assert sorted(header) == sorted(wanted[0])
        assert len(rows) == len(wanted) > 0
        for row, expected in zip(rows, wanted, strict=True):
            for name, cell in zip(header, row, strict=True):
                if name in AMOUNTS and expected[name]:
                    assert number(cell) == Decimal(expected[name]), name
                elif name == "raw":
                    assert cell == readable(expected[name])
                elif name == "line":
                    assert cell == LINES[expected[name]].title
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
    rows = sheets(office, spoilt)["Summary"]
    wanted = report.rows("summary")
    assert [(number(row[4]), number(row[5])) for row in rows[-len(wanted) :]] == [
        (Decimal(row["count"]), Decimal(row["amount"])) for row in wanted
    ]


def test_a_workbook_filled_in_and_saved_by_the_program_is_taken_back(
    office: Office, command: Command, small_shop: Shop
) -> None:
    report = command.latest()
    rows = report.rows("discrepancies")
    opened = office.convert(workbook(report), "fods")
    wanted = {
        row["discrepancy_id"]: decided
        for row, decided in zip(
            rows, (("accept", "known"), ("ignore", ""), ("write_off", "=SUM(1+1)")), strict=False
        )
    }
    fill(opened, wanted)
    saved = office.convert(opened, "xlsx:Calc MS Excel 2007 XML")
    filled = Path(shutil.copy(saved, command.folder / "filled.xlsx"))  # perhaps on another file system
    assert "3 decisions" in command.good("resolve", filled, "--by", "Asha Rao").out
    command.good("run", *days(small_shop))
    resolved = {row["discrepancy_id"]: row for row in command.latest().rows("resolved")}
    assert {key: (row["resolution"], row["note"]) for key, row in resolved.items()} == wanted
