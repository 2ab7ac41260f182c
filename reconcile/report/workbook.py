"""`report-<run id>.xlsx`: the run for people who filter and sort, with numbers and dates as such.

Made only from the CSV files of the run's folder and run.json. Rows are streamed, so memory stays small.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_range, xl_rowcol_to_cell_fast
from xlsxwriter.worksheet import CellDatetimeTuple, CellNumberTuple, CellStringTuple, Worksheet

from reconcile.decide.sheet import MATCH, WORDS
from reconcile.report.columns import (
    AMOUNTS,
    DAYS,
    DISCREPANCIES,
    MATCHED,
    NUMBERS,
    QUARANTINE,
    RUN_FILES,
    SUMMARY,
    dictionary,
)
from reconcile.report.csv_cells import EXACT_DIGITS, shown
from reconcile.report.csv_files import read_csv
from reconcile.report.figures import allowed_lines

MOST_ROWS = 1_048_576
"""Rows of a sheet in Excel, with the header."""

LONGEST_TEXT = 32_000
"""Characters of a text, as UTF-16 units. A cell holds 32,767; XlsxWriter cuts longer texts without a message."""

_WRAPPED = frozenset({"detail", "note", "reason", "meaning"})
_COLOURS = {"high": "#F8D0CE", "medium": "#FBE3C0", "low": "#FFF6C9", "info": "#DCE9F7"}
_WIDTHS = {
    "detail": 70,
    "outcome": 26,
    "type": 24,
    "note": 40,
    "raw": 60,
    "reason": 40,
    "discrepancy_id": 26,
    "match_id": 26,
    "says": 100,
    "column": 24,
    "meaning": 70,
    "written as": 36,
    "in": 46,
}
_WIDTH = 20  # enough for the longest amount that is a number, grouped, with its sign

_LINE_HEIGHT = 15  # points, of a line of the usual font

_PAGE = 180  # characters side by side on A4, printed at about two thirds of their size

# Letters, digits and signs of ASCII, none that XML or XlsxWriter writes otherwise (`&<>`, `_x0041_`), no space at an
# end.
_PLAIN = re.compile(r"(?! )(?:(?!_x)[ -%'-;=?-~])+(?<! )")

_Row = Mapping[str, str]
_Write = Callable[[int, int, str, _Row], object]
"""Writes one cell: takes its row and column, its text, and the whole CSV row."""


def write_workbook(run: Mapping[str, Any], folder: Path) -> Path:
    """Write the workbook into the folder of a run; returns its path.

    `run` is the content of run.json. The same files give the same bytes.
    """
    path = folder / f"report-{run['run_id']}.xlsx"
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
    book.set_properties(
        {
            "title": f"Reconciliation {run['from']} to {run['to']}",
            "created": datetime.fromisoformat(run["finished_at"]).replace(tzinfo=None),
        }
    )
    formats = _Formats(book)
    # An older run has no such key: its workbook holds all matches that fit.
    most = {"matched": run.get("workbook_matches", MOST_ROWS)}
    _summary(book.add_worksheet("Summary"), formats, folder / "summary.csv")
    for title, name, columns in (
        ("Discrepancies", "discrepancies", DISCREPANCIES),
        ("Matched", "matched", MATCHED),
        ("Quarantine", "quarantine", QUARANTINE),
    ):
        sheet = book.add_worksheet(title, _Sheet)
        _records(sheet, formats, columns, folder / f"{name}.csv", most.get(name, MOST_ROWS))
    _about(book.add_worksheet("About this run"), formats, run)
    _columns(book.add_worksheet("Columns"), formats)
    book.close()
    return path


class _Sheet(Worksheet):  # type: ignore[misc]
    """Writes plain texts and numbers as XlsxWriter does, with less ado: nearly all cells are such."""

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        kind = type(cell)
        if kind is CellStringTuple and _PLAIN.fullmatch(cell.string):
            content = f' t="inlineStr"><is><t>{cell.string}</t></is></c>'
        elif kind is CellNumberTuple or kind is CellDatetimeTuple:
            content = f"><v>{cell.number:.16G}</v></c>"
        else:
            super()._write_cell(row, col, cell)
            return
        self.fh.write(f'<c r="{xl_rowcol_to_cell_fast(row, col)}" s="{cell.format._get_xf_index()}"{content}')


class _Formats:
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


def _summary(sheet: Worksheet, formats: _Formats, path: Path) -> None:
    """The outcomes, each block with its total.

    The sheet has no filter: sorting would separate a total from its rows.
    """
    _begin(sheet, formats, SUMMARY)
    count, amount = SUMMARY.index("count"), SUMMARY.index("amount")
    first, exact = 1, True
    for at, row in enumerate(_rows(path, SUMMARY), start=1):
        total = row["outcome"] == "total"
        look = formats.of(bold=total)
        written, currency = row["amount"], row["currency"]
        # SUM ignores text, so the total of amounts that are text is written as in summary.csv.
        exact = exact and is_exact(written)
        for column, name in enumerate(SUMMARY[:count]):
            sheet.write_string(at, column, row[name], look)
        if total:
            sheet.write_formula(at, count, _sum(first, at, count, 0), look, int(row["count"]))
        else:
            sheet.write_number(at, count, int(row["count"]), look)
        if total and exact:
            digits = formats.of(bold=True, num_format=pattern(written, currency))
            adds = _sum(first, at, amount, len(written.partition(".")[2]))
            sheet.write_formula(at, amount, adds, digits, Decimal(written))
        else:
            _amount(sheet, formats, at, amount, written, currency, bold=total)
        if total:
            first, exact = at + 1, True


def _sum(first: int, at: int, column: int, digits: int) -> str:
    """The sum of the rows from `first` to the one above `at`; rounded, since sums of binary fractions are not exact."""
    return f"=ROUND(SUM({xl_range(first, column, at - 1, column)}),{digits})"


def _records(sheet: Worksheet, formats: _Formats, columns: Sequence[str], path: Path, most: int) -> None:
    """One row for each row of a CSV file, at most `most` and as many as fit; the last row says what is left out."""
    _begin(sheet, formats, columns)
    writers = [(name, number, _writer(sheet, formats, name)) for number, name in enumerate(columns)]
    last = 0
    rows = _rows(path, columns)
    # The header takes a row, and so does the text about what is left out.
    for at, row in enumerate(islice(rows, min(most, MOST_ROWS - 2)), start=1):
        last = at
        if (lines := _lines(row)) > 1:
            sheet.set_row(at, _LINE_HEIGHT * lines)
        for name, number, write in writers:
            if row[name]:
                write(at, number, row[name], row)
    if left_out := sum(1 for _ in rows):
        says = f"{left_out} more rows are not in this sheet: {path.name} of this run has all of them"
        sheet.write_string(last + 1, 0, says, formats.of(bold=True))
    sheet.autofilter(0, 0, max(last, 1), len(columns) - 1)
    if "resolution" in columns:
        at = columns.index("resolution")
        # A list to choose from, but other text is allowed: ids follow `match:`.
        choice = {
            "validate": "list",
            "source": [f"{word}:" if word == MATCH else word for word in WORDS],
            "show_error": False,
            "input_title": "Decision",
            "input_message": "After match: write the ids of the other side, separated by ;",
        }
        sheet.data_validation(1, at, max(last, 1), at, choice)


def _lines(row: _Row) -> int:
    """The number of lines of the longest wrapped text of a row; not every program sets the row height itself."""
    return max(
        (
            sum(ceil(len(line) / (_WIDTHS[name] - 6)) or 1 for line in row[name].split("\n"))
            for name in _WRAPPED
            if row.get(name)
        ),
        default=1,
    )


def _writer(sheet: Worksheet, formats: _Formats, name: str) -> _Write:
    """The function that writes the cells of a column; chosen once, because there may be millions of cells."""
    plain = formats.of()
    if name in AMOUNTS:
        return lambda at, column, value, row: _amount(sheet, formats, at, column, value, row["currency"])
    if name in NUMBERS:
        return lambda at, column, value, _: sheet.write_number(at, column, int(value), plain)
    if name in DAYS:
        a_day = formats.of(num_format="yyyy-mm-dd", align="left", indent=1)

        def write_day(at: int, column: int, value: str, _: _Row) -> None:
            if value >= "1900-03-01":  # spreadsheets disagree on days before this
                sheet.write_datetime(at, column, date.fromisoformat(value), a_day)
            else:
                sheet.write_string(at, column, value, plain)

        return write_day
    if name == "severity":
        colours = {word: formats.of(bg_color=colour) for word, colour in _COLOURS.items()}
        return lambda at, column, value, _: sheet.write_string(at, column, value, colours[value])
    look = formats.of(text_wrap=True) if name in _WRAPPED else plain
    return lambda at, column, value, _: sheet.write_string(at, column, value, look)


def _amount(
    sheet: Worksheet, formats: _Formats, at: int, column: int, value: str, currency: str, **look: Any
) -> None:
    """Write an amount as a number, or as text if a number would lose a digit."""
    if is_exact(value):
        sheet.write_number(
            at, column, Decimal(value), formats.of(**look, num_format=pattern(value, currency))
        )
    else:
        # Shrunk to its column: print cuts right-aligned text that is too long on the left, and the rest looks like
        # a smaller amount.
        sheet.write_string(at, column, value, formats.of(**look, align="right", shrink=True))


def _rows(path: Path, columns: Sequence[str]) -> Iterator[_Row]:
    """The rows of a CSV file, as a spreadsheet shows them. Columns that an older file lacks are empty."""
    rows = read_csv(path)
    names = next(rows)
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


def _begin(sheet: Worksheet, formats: _Formats, columns: Sequence[str]) -> None:
    """Write the header, and set how the sheet is shown and printed."""
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.repeat_rows(0)
    sheet.set_footer("&L&A&RPage &P of &N")
    widths = [_WIDTHS.get(name, max(_WIDTH, len(name) + 3)) for name in columns]
    # As many pages side by side as needed to be readable, each with the ids of its rows.
    pages = ceil(sum(widths) / _PAGE)
    sheet.fit_to_pages(pages, 0)
    if pages > 1:
        sheet.repeat_columns(0)
    for number, (name, width) in enumerate(zip(columns, widths, strict=True)):
        sheet.set_column(number, number, width)
        align = "right" if name in AMOUNTS or name in NUMBERS else "left"
        look = formats.of(bold=True, bg_color="#1F3A5F", font_color="#FFFFFF", align=align)
        sheet.write_string(0, number, name, look)


def _about(sheet: Worksheet, formats: _Formats, run: Mapping[str, Any]) -> None:
    lines = [
        ("run", run["run_id"]), ("from", run["from"]), ("to", run["to"]), ("time zone", run["timezone"]),
        *(("app", app) for app in run["apps"]),
        ("started", run["started_at"]), ("finished", run["finished_at"]),
        *((f"version of {name}", version) for name, version in run["versions"].items()),
        # An older run has neither of the two.
        *((name, value or "none") for name, value in run.get("settings", {}).items()),
        *(line for one in run.get("allowed", ()) for line in allowed_lines(one)),
        *(("check passed", check) for check in run["checks"]),
        *(("warning", warning) for warning in run["warnings"]),
    ]  # fmt: skip
    _begin(sheet, formats, ("what", "says"))
    look = formats.of(text_wrap=True)
    for number, (name, value) in enumerate(lines, start=1):
        if len(value.encode("utf-16-le")) > 2 * LONGEST_TEXT:
            value = f"{value[: LONGEST_TEXT // 2]}… (whole in run.json)"
        sheet.write_string(number, 0, name, look)
        sheet.write_string(number, 1, value, look)


def _columns(sheet: Worksheet, formats: _Formats) -> None:
    """What each column of the other sheets and of the CSV files means."""
    header = ("column", "meaning", "written as", "in")
    _begin(sheet, formats, header)
    look = formats.of(text_wrap=True)
    for at, (column, files) in enumerate(dictionary(RUN_FILES), start=1):
        values = (column.name, column.meaning, str(column.form), ", ".join(files))
        if (lines := _lines({"meaning": column.meaning})) > 1:
            sheet.set_row(at, _LINE_HEIGHT * lines)
        for number, value in enumerate(values):
            sheet.write_string(at, number, value, look)
