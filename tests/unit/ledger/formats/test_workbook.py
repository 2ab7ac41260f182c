"""Ledgers in workbooks: real cells, dates, blank rows."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import xlsxwriter

from reconcile.core.records import Entry, Rejection
from reconcile.ledger.profile import Profile
from tests.support.bad_ledgers import NAMES, Sheet, cells
from tests.support.ledgers import open_ledger, typed


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
