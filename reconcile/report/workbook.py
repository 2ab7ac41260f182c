"""`report-<run id>.xlsx`: the run for people who filter and sort, with numbers and dates as such.

Made only from the CSV files of the run's folder and run.json. Rows are streamed, so memory stays small.
"""

import json
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
from xlsxwriter.worksheet import CellNumberTuple, CellStringTuple, Worksheet

from reconcile.core.discrepancies import GLANCE, TYPES
from reconcile.core.wording import day, percent, words
from reconcile.decide.sheet import MATCH, WORDS
from reconcile.report.bridge import KSPAY_TOTAL, LEDGER_TOTAL, LINES
from reconcile.report.columns import (
    AMOUNTS,
    BRIDGE,
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
from reconcile.report.figures import allowed_lines, compared, parts, reconciled, share_of

MOST_ROWS = 1_048_576
"""Rows of a sheet in Excel, with the header."""

LONGEST_TEXT = 32_000
"""Characters of a text, as UTF-16 units. A cell holds 32,767; XlsxWriter cuts longer texts without a message."""

_FRONT = (
    "discrepancy_id",
    "detail",
    "currency",
    "kspay_amount",
    "ledger_amount",
    "difference",
    "kspay_date",
    "ledger_date",
    "suggested_counterpart",
    "resolution",
    "note",
    "assignee",
    "due",
)
"""The columns that a person decides with: first in the sheet Discrepancies, and always in sight. The rest is behind."""

_WRAPPED = frozenset({"detail", "note", "reason", "meaning", "raw"})
_COLOURS = {"high": "#F8D0CE", "medium": "#FBE3C0", "low": "#FFF6C9", "info": "#DCE9F7"}
_WIDTHS = {
    "detail": 44,
    "type": 24,
    "note": 24,
    "raw": 60,
    "reason": 40,
    "currency": 11,
    "kspay_amount": 16,
    "ledger_amount": 16,
    "difference": 14,
    "kspay_date": 13,
    "ledger_date": 14,
    "resolution": 13,
    "assignee": 14,
    "due": 12,
    "discrepancy_id": 26,
    "match_id": 26,
    "says": 100,
    "column": 24,
    "meaning": 70,
    "written as": 36,
    "in": 46,
    "line": 36,
    "its rows": 54,
}
_WIDTH = 20  # enough for the longest amount that is a number, grouped, with its sign

_HEADER: Mapping[str, Any] = {"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF"}

_DAY_ZERO = date(1899, 12, 30)
"""Spreadsheets count the days from here."""

_LINE_HEIGHT = 15  # points, of a line of the usual font

PRINT_SCALE = 82
"""Percent: type of 11 points is printed with 9."""

# Letters, digits and signs of ASCII, none that XML or XlsxWriter writes otherwise (`&<>`, `_x0041_`), no space at an
# end.
_PLAIN = re.compile(r"(?! )(?:(?!_x)[ -%'-;=?-~])+(?<! )")

_FIELD = re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*+")\s*:\s*')
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
"""A number stays as it is written."""

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
    # An older run has no such key: its workbook holds all rows that fit.
    most = dict.fromkeys(("matched", "bridge"), run.get("workbook_matches", MOST_ROWS))
    _summary(book.add_worksheet("Summary"), formats, run, folder / "summary.csv")
    if run.get("bridge"):
        _bridge(book.add_worksheet("Bridge"), formats, run["bridge"])
    for title, name, columns in (
        ("Discrepancies", "discrepancies", DISCREPANCIES),
        ("Matched", "matched", MATCHED),
        ("Bridge rows", "bridge", BRIDGE),
        ("Quarantine", "quarantine", QUARANTINE),
    ):
        if not (folder / f"{name}.csv").exists():
            continue  # a run of an older version has no rows of its bridge
        sheet = book.add_worksheet(title, _Sheet)
        front = [column for column in _FRONT if name == "discrepancies" and column in columns]
        order = [*front, *(column for column in columns if column not in front)]
        _records(sheet, formats, order, folder / f"{name}.csv", most.get(name, MOST_ROWS))
        if front:
            sheet.freeze_panes(1, len(front))
            sheet.set_zoom(80)  # so that there is room beside what is frozen
    _about(book.add_worksheet("About this run"), formats, run)
    _columns(book.add_worksheet("Columns"), formats)
    book.close()
    return path


class _Sheet(Worksheet):  # type: ignore[misc]
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


class _Lines:
    """Writes a sheet of several small tables, one below the other."""

    def __init__(self, sheet: Worksheet, formats: _Formats) -> None:
        self.sheet = sheet
        self.formats = formats
        self.at = 0
        self.breaks: list[int] = []
        """The rows before which a new page begins, so that no title stands alone at the end of one."""

    def title(self, text: str, *, size: int = 13, new_page: bool = False) -> None:
        self.at += 1 if self.at else 0
        if new_page:
            self.breaks.append(self.at)
        self.sheet.write_string(self.at, 0, text, self.formats.of(bold=True, font_size=size))
        self.at += 1

    def header(self, *names: str) -> None:
        if max(map(len, names)) > _LONG_NAME:
            self.sheet.set_row(self.at, _LINE_HEIGHT * 4)
        for column, name in enumerate(names):
            align = "right" if column >= _NUMBERS_FROM else "left"
            look = self.formats.of(**_HEADER, align=align, text_wrap=True)
            self.sheet.write_string(self.at, column, name, look)
        self.at += 1

    def line(self, *values: str | int | tuple[str, str] | None, bold: bool = False) -> None:
        """A row: texts, whole numbers, and amounts with their currency."""
        plain = self.formats.of(bold=bold, text_wrap=True)
        for column, value in enumerate(values):
            if isinstance(value, int):
                number = self.formats.of(bold=bold, num_format="#,##0")
                self.sheet.write_number(self.at, column, value, number)
            elif isinstance(value, tuple):
                _amount(self.sheet, self.formats, self.at, column, *value, bold=bold)
            elif value:
                self.sheet.write_string(self.at, column, value, plain)
        self.at += 1


_LONG_NAME = 20
"""Letters of a name that takes several lines of its cell."""

_NUMBERS_FROM = 4
"""In the sheet Summary: the column of the first numbers. Those before it hold texts."""


def _summary(sheet: Worksheet, formats: _Formats, run: Mapping[str, Any], path: Path) -> None:
    """What the page says first: at a glance, reconciled, by type; then the control totals. In words, not codes.

    The sheet has no filter: sorting would separate a total from its rows.
    """
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.set_footer("&L&A&RPage &P of &N")
    sheet.set_print_scale(PRINT_SCALE)
    sheet.set_margins(left=0.25, right=0.25, top=0.5, bottom=0.6)
    for column, width in enumerate((19, 8, 8, 31, 10, 14, 7, 13, 7, 13)):
        sheet.set_column(column, column, width)
    lines = _Lines(sheet, formats)
    first, last = (day(date.fromisoformat(run[name])) for name in ("from", "to"))
    lines.title(f"Reconciliation {first} to {last}", size=16)
    _glance(lines, run)
    shares = [("Transactions", "kspay"), ("Ledger entries", "ledger")]
    lines.title("Reconciled")
    lines.header("What", "", "Currency", "Share", "Reconciled", "Amount", "Of", "Of amount")
    for name, side in shares:
        for one in reconciled(run["totals"], side):
            currency = one["currency"]
            if not currency:
                continue  # what cannot be used is no share of anything
            amounts = [(one[key], currency) for key in ("amount", "of_amount")]
            share = percent(share_of(one))
            lines.line(name, "", currency, share, one["count"], amounts[0], one["of"], amounts[1])
    if types := (run.get("at_a_glance") or {}).get("types"):
        lines.title("Open, by type", new_page=True)
        lines.header("Type", "Severity", "Currency", "What to do", "Open", "At stake")
        for row in types:
            what = TYPES[row["type"]].to_do(row["severity"])
            stake = (row["amount"], row["currency"]) if row["currency"] else None
            lines.line(words(row["type"]), row["severity"], row["currency"], what, row["count"], stake)
    _control_totals(lines, path)
    sheet.set_h_pagebreaks(lines.breaks)


def _glance(lines: _Lines, run: Mapping[str, Any]) -> None:
    """What is at risk, to check, timing and in quarantine, by currency, beside the runs that it is compared with."""
    then = compared(run.get("at_a_glance") or {})
    named = [f"{words(title)}, {day(date.fromisoformat(one['to']))}" for title, one in then]
    lines.title("At a glance")
    lines.header(
        "What",
        "",
        "Currency",
        "Meaning",
        "Open",
        "At stake",
        *(part for name in named for part in (name, "At stake")),
    )
    tables = [
        {(row["part"], row["currency"]): row for row in rows}
        for rows in (parts(run), *(o["parts"] for _, o in then))
    ]
    for part, meaning in GLANCE.items():
        currencies = sorted({currency for table in tables for name, currency in table if name == part}) or [
            ""
        ]
        for number, currency in enumerate(currencies):
            cells: list[Any] = []
            for table in tables:
                row = table.get((part, currency), {"count": 0, "amount": "0"})
                cells += [row["count"], (row["amount"], currency) if currency else None]
            lines.line(
                *((words(part), "", currency, meaning) if not number else ("", "", currency, "")), *cells
            )


def _control_totals(lines: _Lines, path: Path) -> None:
    """The rows of summary.csv. Each total is a formula over the rows above it."""
    lines.title("Control totals", new_page=True)
    lines.header("Records", "Side", "Currency", "Outcome", "Count", "Amount")
    sheet, formats = lines.sheet, lines.formats
    count, amount = _NUMBERS_FROM, _NUMBERS_FROM + 1
    first, exact = lines.at, True
    file = read_csv(path)
    for row in _rows(next(file), file, SUMMARY):
        total = row["outcome"] == "total"
        at, written, currency = lines.at, row["amount"], row["currency"]
        scope = "Dated in the period" if row["scope"] == "period" else "Earlier, still listed"
        # SUM ignores text, so the total of amounts that are text is written as in summary.csv.
        exact = exact and is_exact(written)
        lines.line(
            scope,
            words(row["side"]),
            currency,
            words(row["outcome"]),
            int(row["count"]),
            (written, currency),
            bold=total,
        )
        if total:
            look = formats.of(bold=True, num_format="#,##0")
            sheet.write_formula(at, count, _sum(first, at, count, 0), look, int(row["count"]))
        if total and exact:
            digits = formats.of(bold=True, num_format=pattern(written, currency))
            adds = _sum(first, at, amount, len(written.partition(".")[2]))
            sheet.write_formula(at, amount, adds, digits, Decimal(written))
        if total:
            first, exact = at + 1, True


def _bridge(sheet: Worksheet, formats: _Formats, rows: Sequence[Mapping[str, Any]]) -> None:
    """From the KS Pay total to the ledger total of each currency; the ledger total is the sum of the lines above it."""
    _begin(sheet, formats, ("currency", "line", "count", "amount", "its rows"))
    sheet.set_column(2, 2, 9)
    first, exact = 1, True
    for at, row in enumerate(rows, start=1):
        line, currency, written = LINES[row["line"]], row["currency"], row["amount"]
        if row["line"] == KSPAY_TOTAL or row["currency"] != rows[at - 2]["currency"]:
            first, exact = at, True
        total = row["line"] in (KSPAY_TOTAL, LEDGER_TOTAL)
        exact = exact and is_exact(written)
        sheet.set_row(at, _LINE_HEIGHT * ceil(len(line.rows) / (_WIDTHS["its rows"] - 6)))
        look = formats.of(bold=total)
        for column, value in ((0, currency), (1, line.title)):
            sheet.write_string(at, column, value, look)
        sheet.write_string(at, 4, line.rows, formats.of(bold=total, text_wrap=True, align="left", indent=1))
        sheet.write_number(at, 2, row["count"], formats.of(bold=total, num_format="#,##0"))
        if row["line"] == LEDGER_TOTAL and exact and at > first:
            digits = formats.of(bold=True, num_format=pattern(written, currency))
            sheet.write_formula(
                at, 3, _sum(first, at, 3, len(written.partition(".")[2])), digits, Decimal(written)
            )
        else:
            _amount(sheet, formats, at, 3, written, currency, bold=total)
    sheet.autofilter(0, 0, max(len(rows), 1), 4)


def _sum(first: int, at: int, column: int, digits: int) -> str:
    """The sum of the rows from `first` to the one above `at`; rounded, since sums of binary fractions are not exact."""
    return f"=ROUND(SUM({xl_range(first, column, at - 1, column)}),{digits})"


def _records(
    sheet: Worksheet,
    formats: _Formats,
    columns: Sequence[str],
    path: Path,
    most: int,
) -> None:
    """One row for each row of a CSV file, at most `most` and as many as fit; the last row says what is left out."""
    _begin(sheet, formats, columns)
    writers = [(name, number, _writer(sheet, formats, name)) for number, name in enumerate(columns)]
    last = 0
    file = read_csv(path)
    rows = _rows(next(file), file, columns)
    in_words = [(name, say) for name, say in _IN_WORDS.items() if name in columns]
    # The header takes a row, and so does the text about what is left out.
    for at, row in enumerate(islice(rows, min(most, MOST_ROWS - 2)), start=1):
        last = at
        for name, say in in_words:
            row = {**row, name: say(row[name])}
        if (lines := _lines(row)) > 1:
            sheet.set_row(at, _LINE_HEIGHT * lines)
        for name, number, write in writers:
            if row[name]:
                write(at, number, row[name], row)
    if left_out := sum(1 for _ in file):
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
        looks: dict[tuple[int, int, bool, str], Format] = {}

        def write_amount(at: int, column: int, value: str, row: _Row) -> None:
            if len(value) > EXACT_DIGITS:
                _amount(sheet, formats, at, column, value, row["currency"])
                return
            # What the format depends on.
            form = (len(value), value.find("."), value[0] == "-", row["currency"])
            if form not in looks:
                looks[form] = formats.of(num_format=pattern(value, row["currency"]))
            sheet.write_number(at, column, Decimal(value), looks[form])

        return write_amount
    if name in NUMBERS:
        return lambda at, column, value, _: sheet.write_number(at, column, int(value), plain)
    if name in DAYS:
        a_day = formats.of(num_format="yyyy-mm-dd", align="left", indent=1)

        def write_day(at: int, column: int, value: str, _: _Row) -> None:
            if value >= "1900-03-01":  # spreadsheets disagree on days before this
                sheet.write_number(at, column, (date.fromisoformat(value) - _DAY_ZERO).days, a_day)
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


def _rows(names: Sequence[str], rows: Iterator[list[str]], columns: Sequence[str]) -> Iterator[_Row]:
    """The rows of a CSV file with this header, as a spreadsheet shows them. Columns that it lacks are empty."""
    lacking = dict.fromkeys(set(columns) - set(names), "")
    for values in rows:
        yield dict(zip(names, map(shown, values), strict=True), **lacking)


def readable(raw: str) -> str:
    """A record that is JSON, with a line for each of its fields that hold something; any other text as it is.

    The text may be cut at its end.
    """
    lines = []
    at = 1
    while raw.startswith("{") and (field := _FIELD.match(raw, at)):
        try:
            value, at = _DECODER.raw_decode(raw, field.end())
        except ValueError:
            break
        if value not in (None, "", [], {}):
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{json.loads(field[1])}: {said}")
    rest = raw[at:].strip(" ,}") if lines else raw
    return "\n".join([*lines, rest] if rest else lines)


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
    sheet.set_margins(left=0.25, right=0.25, top=0.5, bottom=0.6)
    widths = [_WIDTHS.get(name, max(_WIDTH, len(name) + 3)) for name in columns]
    # As many pages side by side as needed to be readable, each with the ids of its rows.
    sheet.set_print_scale(PRINT_SCALE)
    sheet.repeat_columns(0)
    for number, (name, width) in enumerate(zip(columns, widths, strict=True)):
        sheet.set_column(number, number, width)
        align = "right" if name in AMOUNTS or name in NUMBERS else "left"
        look = formats.of(**_HEADER, align=align)
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


_IN_WORDS: Mapping[str, Callable[[str], str]] = {"raw": readable, "line": lambda name: LINES[name].title}
"""The columns that the workbook shows otherwise than the CSV file, and how."""


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
