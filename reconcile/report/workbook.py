"""`report-<run id>.xlsx`: the run for people who filter and sort, with real numbers, real dates, and text as text.

Read from the CSV files of the run's folder and run.json alone. Rows are streamed, so memory stays flat.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from reconcile.report.cells import EXACT_DIGITS, shown
from reconcile.report.files import DISCREPANCIES, MATCHED, QUARANTINE, SUMMARY

MOST_ROWS = 1_048_576
"""Of a sheet, its header included: what Excel holds."""

_AMOUNTS = frozenset({"kspay_amount", "ledger_amount", "difference", "variance", "amount"})
_DATES = frozenset({"first_seen", "kspay_date", "ledger_date"})
_NUMBERS = frozenset({"age_days", "count", "row"})
_COLOURS = {"high": "#F8D0CE", "medium": "#FBE3C0", "low": "#FFF6C9", "info": "#DCE9F7"}
_WIDTHS = {
    "detail": 70,
    "outcome": 26,
    "type": 24,
    "note": 40,
    "raw": 60,
    "reason": 40,
    "resolution": 18,
    "discrepancy_id": 26,
    "match_id": 26,
}
_WORDS = ["accept", "write_off", "ignore", "match:", "reopen"]


def write_workbook(run: Mapping[str, Any], folder: Path) -> Path:
    """Write the workbook into the folder of a run's files; its path.

    `run` is the content of run.json. The same files give the same bytes.
    """
    path = folder / f"report-{run['run_id']}.xlsx"
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    book.set_properties(
        {
            "title": f"Reconciliation {run['from']} to {run['to']}",
            "created": datetime.fromisoformat(run["finished_at"]).replace(tzinfo=None),
        }
    )
    book.set_calc_mode("auto")
    formats = _Formats(book)
    for title, name, columns in (
        ("Summary", "summary", SUMMARY),
        ("Discrepancies", "discrepancies", DISCREPANCIES),
        ("Matched", "matched", MATCHED),
        ("Quarantine", "quarantine", QUARANTINE),
    ):
        _Sheet(book.add_worksheet(title), formats, columns).write(folder / f"{name}.csv")
    _about(book.add_worksheet("About this run"), formats, run)
    book.close()
    return path


class _Formats:
    """Every format once: a workbook holds a limited number of them."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def of(self, **properties: Any) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(properties)
        return self._made[key]

    @property
    def header(self) -> Format:
        return self.of(bold=True, bg_color="#1F3A5F", font_color="#FFFFFF", valign="top")

    @property
    def right_header(self) -> Format:
        """Above numbers."""
        return self.of(bold=True, bg_color="#1F3A5F", font_color="#FFFFFF", valign="top", align="right")


class _Sheet:
    """One CSV file as a sheet of the same columns."""

    def __init__(self, sheet: Worksheet, formats: _Formats, columns: Sequence[str]) -> None:
        self.sheet, self.formats, self.columns = sheet, formats, columns
        for number, name in enumerate(columns):
            sheet.set_column(number, number, _WIDTHS.get(name, 16))
        _set_up(sheet)
        for number, name in enumerate(columns):
            right = name in _AMOUNTS or name in _NUMBERS
            sheet.write_string(0, number, name, formats.right_header if right else formats.header)

    def write(self, path: Path) -> None:
        # Where not all rows fit, the last one of the sheet says so.
        written, left_out, block, exact = 0, 0, 1, True
        for values in _rows(path):
            if written == MOST_ROWS - 2:
                left_out += 1
                continue
            written += 1
            row = dict(zip(self.columns, values, strict=True))
            total = row.get("outcome") == "total"
            exact = exact and is_exact(shown(row.get("amount", "")))
            for column, name in enumerate(self.columns):
                if total and name in ("count", "amount"):
                    self._total(written, column, row, block, exact=exact)
                else:
                    self._cell(written, column, row)
            if total:
                block, exact = written + 1, True
        if left_out:
            says = f"{left_out} more rows do not fit into a sheet: {path.name} of this run has all of them"
            self.sheet.write_string(written + 1, 0, says, self.formats.of(bold=True))
        self.sheet.autofilter(0, 0, max(written, 1), len(self.columns) - 1)
        if "resolution" in self.columns:
            column = self.columns.index("resolution")
            # A choice, and no bar: `match:` is followed by ids.
            self.sheet.data_validation(
                1, column, max(written, 1), column,
                {"validate": "list", "source": _WORDS, "show_error": False,
                 "input_title": "Decision", "input_message": "After match: the ids of the other side, ; between"},
            )  # fmt: skip

    def _cell(self, at: int, column: int, row: Mapping[str, str]) -> None:
        name = self.columns[column]
        value = shown(row[name])
        properties: dict[str, Any] = {"bold": True} if row.get("outcome") == "total" else {}
        if name == "severity":
            properties["bg_color"] = _COLOURS.get(value, "#FFFFFF")
        if not value:
            return
        if name in _AMOUNTS and is_exact(value):
            properties["num_format"] = pattern(value, row["currency"])
            self.sheet.write_number(at, column, float(value), self.formats.of(**properties))
        elif name in _NUMBERS:
            self.sheet.write_number(at, column, int(value), self.formats.of(**properties))
        elif name in _DATES and value >= "1900-03-01":  # before, spreadsheets count days differently
            properties["num_format"] = "yyyy-mm-dd"
            self.sheet.write_datetime(at, column, date.fromisoformat(value), self.formats.of(**properties))
        else:
            if name in _AMOUNTS:
                properties["align"] = "right"
            if name in ("detail", "note", "reason"):
                properties |= {"text_wrap": True, "valign": "top"}
            self.sheet.write_string(at, column, value, self.formats.of(**properties))

    def _total(self, at: int, column: int, row: Mapping[str, str], first: int, *, exact: bool) -> None:
        """A formula over the outcomes above, unless one of the amounts is text: that one would be left out."""
        value = shown(row[self.columns[column]])
        if self.columns[column] == "amount" and not exact:
            self._cell(at, column, row)
            return
        number_format = pattern(value, row["currency"]) if self.columns[column] == "amount" else "0"
        letter = chr(ord("A") + column)
        number = float(value) if "." in value else int(value)
        # Rounded to the digits of the currency: a sum of binary fractions is not exact by itself.
        digits = len(value.partition(".")[2])
        self.sheet.write_formula(
            at, column, f"=ROUND(SUM({letter}{first + 1}:{letter}{at}),{digits})",
            self.formats.of(bold=True, num_format=number_format), number,
        )  # fmt: skip


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        yield from reader


def is_exact(amount: str) -> bool:
    """Whether a spreadsheet's number keeps every digit of this plain decimal."""
    return len(amount.lstrip("-").replace(".", "").lstrip("0")) <= EXACT_DIGITS


def pattern(amount: str, currency: str) -> str:
    """The number format of an amount: its own decimals, thousands apart, for INR lakhs and crores.

    No format of a spreadsheet groups by lakhs, so the commas of this amount's length are written out.
    """
    whole, _, decimals = amount.lstrip("-").partition(".")
    tail = f".{'0' * len(decimals)}" if decimals else ""
    if currency != "INR" or Decimal(amount).copy_abs() < 100_000:
        return f"#,##0{tail}"
    return "\\,".join(["0" * (len(whole) % 2 == 0) or "00", *["00"] * ((len(whole) - 4) // 2), "000"]) + tail


def _set_up(sheet: Worksheet) -> None:
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _about(sheet: Worksheet, formats: _Formats, run: Mapping[str, Any]) -> None:
    _set_up(sheet)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    lines = [
        ("run", run["run_id"]), ("from", run["from"]), ("to", run["to"]), ("time zone", run["timezone"]),
        *(("app", app) for app in run["apps"]),
        ("started", run["started_at"]), ("finished", run["finished_at"]),
        *((f"version of {name}", version) for name, version in run["versions"].items()),
        *(("check held", str(check)) for check in run["checks"]),
        *(("warning", warning) for warning in run["warnings"]),
    ]  # fmt: skip
    for column, name in enumerate(("what", "value")):
        sheet.write_string(0, column, name, formats.header)
    for number, (name, value) in enumerate(lines, start=1):
        sheet.write_string(number, 0, name, formats.of(valign="top"))
        sheet.write_string(number, 1, str(value), formats.of(valign="top", text_wrap=True))
