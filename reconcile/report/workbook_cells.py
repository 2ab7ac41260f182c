"""How the cells of a workbook are written: fast, with formats made once, and with amounts that lose no digit."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range, xl_rowcol_to_cell_fast
from xlsxwriter.worksheet import CellNumberTuple, CellStringTuple, Worksheet

from reconcile.report.csv_cells import EXACT_DIGITS, shown

LONGEST_TEXT = 32_000
"""Characters of a text, as UTF-16 units. A cell holds 32,767; XlsxWriter cuts longer texts without a message."""

HEADER: Mapping[str, Any] = {"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF"}
"""How the cell of a column's name looks."""

PRINT_SCALE = 82
"""Percent: type of 11 points is printed with 9."""

LINE_HEIGHT = 15
"""Points, of a line of the usual font."""

# Letters, digits and signs of ASCII, none that XML or XlsxWriter writes otherwise (`&<>`, `_x0041_`), no space at an
# end.
_PLAIN = re.compile(r"(?! )(?:(?!_x)[ -%'-;=?-~])+(?<! )")

Amount = tuple[str, str]
"""An amount as a plain decimal, and its currency."""

Row = Mapping[str, str]
"""A row of a CSV file, by column, as a spreadsheet shows it."""


class FastSheet(Worksheet):  # type: ignore[misc]
    """Writes plain texts and numbers as XlsxWriter does, with less ado: nearly all cells are such.

    Rows are written from the first one on, and that one, the header, has a cell in every column. Numbers are finite.
    """

    def write_string(self, row: int, col: int, string: str, cell_format: Format) -> object:
        if row == 0 or len(string) > LONGEST_TEXT // 2:
            return super().write_string(row, col, string, cell_format)
        self._keep(row, col, CellStringTuple(string, cell_format))
        return 0

    def write_number(self, row: int, col: int, number: int | Decimal, cell_format: Format) -> object:
        self._keep(row, col, CellNumberTuple(number, cell_format))
        return 0

    def _keep(self, row: int, col: int, cell: Any) -> None:
        if row > self.previous_row:
            self._check_dimensions(row, col)
            self._write_single_row(row)  # the one before
        self.table[row][col] = cell

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        kind = type(cell)
        if kind is CellStringTuple and _PLAIN.fullmatch(cell.string):
            content = f' t="inlineStr"><is><t>{cell.string}</t></is></c>'
        elif kind is CellNumberTuple:
            content = f"><v>{cell.number:.16G}</v></c>"
        else:
            super()._write_cell(row, col, cell)
            return
        self.fh.write(f'<c r="{xl_rowcol_to_cell_fast(row, col)}" s="{cell.format._get_xf_index()}"{content}')


class Formats:
    """Makes every format only once: a workbook can have a limited number of them."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def of(self, **properties: Any) -> Format:
        key = tuple(properties.items())
        if key not in self._made:
            # Cells beside a text of several lines are aligned with its first line.
            self._made[key] = self._book.add_format({"valign": "top", **properties})
        return self._made[key]


@dataclass(frozen=True, slots=True)
class SheetWriter:
    """A sheet, and the formats that its cells take. Rows and columns are counted from 0."""

    sheet: Worksheet
    formats: Formats

    def amount(self, at: int, column: int, amount: Amount, **look: Any) -> None:
        """Write an amount as a number, or as text if a number would lose a digit."""
        value, currency = amount
        if is_exact(value):
            digits = self.formats.of(**look, num_format=pattern(value, currency))
            self.sheet.write_number(at, column, Decimal(value), digits)
        else:
            # Shrunk to its column: print cuts right-aligned text that is too long on the left, and the rest looks like
            # a smaller amount.
            self.sheet.write_string(at, column, value, self.formats.of(**look, align="right", shrink=True))

    def total(self, first: int, at: int, column: int, amount: Amount) -> None:
        """Write an amount that is the sum of the rows from `first` to the one above, as a formula in bold."""
        value, currency = amount
        digits = self.formats.of(bold=True, num_format=pattern(value, currency))
        adds = sum_above(first, at, column, len(value.partition(".")[2]))
        self.sheet.write_formula(at, column, adds, digits, Decimal(value))


def sum_above(first: int, at: int, column: int, digits: int) -> str:
    """The sum of the rows from `first` to the one above `at`; rounded, since sums of binary fractions are not exact."""
    return f"=ROUND(SUM({xl_range(first, column, at - 1, column)}),{digits})"


def shown_rows(names: Sequence[str], rows: Iterator[list[str]], columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV file with this header, as a spreadsheet shows them. Columns that it lacks are empty."""
    lacking = dict.fromkeys(set(columns) - set(names), "")
    for values in rows:
        yield dict(zip(names, map(shown, values), strict=True), **lacking)


def is_exact(amount: str) -> bool:
    """Whether a spreadsheet's number keeps every digit of this plain decimal."""
    return len(amount.lstrip("-").replace(".", "").lstrip("0")) <= EXACT_DIGITS


def pattern(amount: str, currency: str) -> str:
    """The number format of an amount: its decimals, with grouped thousands, for INR lakhs and crores.

    Spreadsheets have no format for lakhs, so the format has the commas for exactly this number of digits.
    """
    whole, _, decimals = amount.lstrip("-").partition(".")
    tail = f".{'0' * len(decimals)}" if decimals else ""
    if currency != "INR" or len(whole) <= 5:
        return f"#,##0{tail}"
    leading = "0" if len(whole) % 2 == 0 else "00"
    return "\\,".join([leading, *["00"] * ((len(whole) - 4) // 2), "000"]) + tail
