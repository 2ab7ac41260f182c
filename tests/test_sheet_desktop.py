"""A discrepancies.csv through a real spreadsheet program and back: opened, saved its own way, read again."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest
from office import Office

from reconcile.report.cells import amount_cell, cell, shown, text_cell
from reconcile.report.files import (
    AMOUNTS,
    DISCREPANCIES,
    MATCHED,
    QUARANTINE,
    RESOLVED,
    SUMMARY,
    write_csv,
)
from reconcile.sheet import Row, open_sheet

pytestmark = pytest.mark.desktop

ROWS = [
    {
        "discrepancy_id": f"D-ABCDEFGHJKLMNPQRABC{letter}",
        "facts": facts,
        "resolution": resolution,
        "note": note,
        "ledger_id": ledger_id,
        "reference": "MAR1",
        "kspay_amount": "1250.50",
        "kspay_date": "2026-08-31",
        "detail": 'KS Pay took 1,250.50 INR; "more"',
    }
    for letter, facts, resolution, note, ledger_id in (
        ("A", "ABCDEFGHJK", "match:0012;V-2", 'Café; see "slip" 12, tomorrow', "0012"),
        ("B", "BBBBBBBBBB", "accept", "=SUM(1+1)", "1E5"),
        ("C", "CCCCCCCCCC", "match:12345678901234567890", "first line\nsecond – line", "12345678901234567890"),
        ("D", "DDDDDDDDDD", "write_off", "", "=SUM(1+1)"),
        ("E", "EEEEEEEEEE", "", "1/2", "MAR1"),
        ("F", "FFFFFFFFFF", "", "", "TRUE"),
    )
]  # fmt: skip


def read(path: Path) -> dict[str, Row]:
    return {row.discrepancy_id: row for row in open_sheet(path).rows() if row is not None}


def said(rows: dict[str, Row]) -> dict[str, tuple[object, ...]]:
    """What the rows say, wherever they stand now."""
    return {key: (row.facts, row.resolution, row.note, row.broken) for key, row in rows.items()}


@pytest.mark.parametrize(
    ("saved_as", "altered"),
    [
        ("59,34,1", ()),  # semicolons, Windows-1252
        ("9,34,76", ("hidden", "sorted")),  # tabs, UTF-8
        ("44,34,65535", ("sorted",)),  # commas, UTF-16
    ],
)
def test_what_people_wrote_survives_the_program(
    office: Office, tmp_path: Path, saved_as: str, altered: tuple[str, ...]
) -> None:
    ours = tmp_path / "discrepancies.csv"
    rows = list(reversed(ROWS)) if "sorted" in altered else ROWS
    cells = [{name: text_cell(row.get(name)) for name in DISCREPANCIES} for row in rows]
    write_csv(ours, DISCREPANCIES, cells)
    opened = office.convert(ours, "fods", "--infilter=CSV:44,34,76,1")
    document = opened.read_text("utf-8")
    assert "12345678901234567890" in document
    if "hidden" in altered:
        document, hidden = re.subn(
            "<table:table-column ", '<table:table-column table:visibility="collapse" ', document
        )
        assert hidden
        opened.write_text(document, "utf-8")
    theirs = office.convert(opened, f"csv:Text - txt - csv (StarCalc):{saved_as}")
    assert theirs.read_bytes() != ours.read_bytes()
    expected = said(read(ours))
    assert len(expected) == 5
    assert said(read(theirs)) == expected


TEXTS = (
    "0012", "1E5", "MAR1", "3-4", "=SUM(1+1)", "@x", "+1", "-1", "12345678901234567890", "Ünï — 注文 🧾", 'a "b", c',
    "a\tb", "  c", "c  ", "TRUE", "1/2", "12:30", "10%", "₹ 5", "'x", "#REF!", "first\nsecond", "1,5", "1.5", ".5",
    "2026-08-31", '=HYPERLINK("http://x.invalid")', "\tx", "＝1+1", "1e999", "0x10", "Infinity", "1 234", "½",
    "१२३",
)  # fmt: skip
SUMS = ("1250.50", "-0.01", "0", "123456789012.345", "12345678901234567.89", "-99999999999999999999.00")
DAYS = frozenset({"first_seen", "kspay_date", "ledger_date"})
NUMBERS = frozenset({"age_days", "count", "row"})


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("discrepancies", DISCREPANCIES),
        ("resolved", RESOLVED),
        ("matched", MATCHED),
        ("summary", SUMMARY),
        ("quarantine", QUARANTINE),
    ],
)
def test_every_cell_of_every_file_comes_back(
    office: Office, tmp_path: Path, name: str, columns: tuple[str, ...]
) -> None:
    """Every text in every column of text: opened by the program, and saved as it shows it."""
    ours = tmp_path / f"{name}.csv"
    days = ("2026-08-31", "1999-01-01", "2100-12-31")

    def written(column: str, at: int) -> str:
        if column in AMOUNTS:
            return amount_cell(SUMS[at % len(SUMS)])
        if column in DAYS:
            return days[at % len(days)]
        return cell(at * 1000) if column in NUMBERS else text_cell(TEXTS[at])

    rows = [{column: written(column, at) for column in columns} for at in range(len(TEXTS))]
    write_csv(ours, columns, rows)
    opened = office.convert(ours, "fods", "--infilter=CSV:44,34,76,1")
    # Whatever is a formula is a text in quotes, and nothing else.
    formulas = re.findall(r'table:formula="([^"]*)"', opened.read_text("utf-8"))
    assert formulas
    assert [
        formula for formula in formulas if not re.fullmatch(r"of:=&quot;.*&quot;", formula, re.DOTALL)
    ] == []
    theirs = office.convert(
        ours, "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true", "--infilter=CSV:44,34,76,1"
    )
    with theirs.open(encoding="utf-8", newline="") as file:
        header, *cells = csv.reader(file)
    assert tuple(header) == columns
    for row, found in zip(rows, cells, strict=True):
        for column, value in zip(columns, found, strict=True):
            wanted = shown(row[column])
            if column in AMOUNTS:
                assert Decimal(value) == Decimal(wanted), column
            else:
                assert value == wanted, column
