"""`report-<run id>.xlsx`: the run for people who filter and sort, with numbers and dates as such.

Made only from the CSV files of the run's folder and run.json. Rows are streamed, so memory stays small.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format

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
    dictionary,
)
from reconcile.report.csv_cells import EXACT_DIGITS
from reconcile.report.csv_files import count_rows, read_csv
from reconcile.report.figures import allowed_lines
from reconcile.report.workbook_cells import (
    HEADER,
    LINE_HEIGHT,
    LONGEST_TEXT,
    PRINT_SCALE,
    FastSheet,
    Formats,
    Row,
    SheetWriter,
    is_exact,
    pattern,
    shown_rows,
)
from reconcile.report.workbook_summary import write_summary

MOST_ROWS = 1_048_576
"""Rows of a sheet in Excel, with the header."""

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

_DAY_ZERO = date(1899, 12, 30)
"""Spreadsheets count the days from here."""

_FIELD = re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*+")\s*:\s*')
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
"""A number stays as it is written."""

_Write = Callable[[int, int, str, Row], object]
"""Writes one cell: takes its row and column, its text, and the whole CSV row."""


def write_workbook(
    run: Mapping[str, Any], folder: Path, wait_for_matched: Callable[[], None] = lambda: None
) -> Path:
    """Write the workbook into the folder of a run; returns its path.

    `run` is the content of run.json. The same files give the same bytes. `wait_for_matched` is called before
    matched.csv is read.
    """
    path = folder / f"report-{run['run_id']}.xlsx"
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
    book.set_properties(
        {
            "title": f"Reconciliation {run['from']} to {run['to']}",
            "created": datetime.fromisoformat(run["finished_at"]).replace(tzinfo=None),
        }
    )
    formats = Formats(book)
    # An older run has no such key: its workbook holds all rows that fit.
    most = dict.fromkeys(("matched", "bridge"), run.get("workbook_matches", MOST_ROWS))
    write_summary(SheetWriter(book.add_worksheet("Summary"), formats), run, folder / "summary.csv")
    if run.get("bridge"):
        _bridge(SheetWriter(book.add_worksheet("Bridge"), formats), run["bridge"])
    sheets = []
    for title, name, columns in (
        ("Discrepancies", "discrepancies", DISCREPANCIES),
        ("Matched", "matched", MATCHED),
        ("Bridge rows", "bridge", BRIDGE),
        ("Quarantine", "quarantine", QUARANTINE),
    ):
        if name == "bridge" and not (folder / "bridge.csv").exists():
            continue  # a run of an older version has no rows of its bridge
        sheets.append((name, columns, SheetWriter(book.add_worksheet(title, FastSheet), formats)))
    _about(SheetWriter(book.add_worksheet("About this run"), formats), run)
    _columns(SheetWriter(book.add_worksheet("Columns"), formats))
    for name, columns, writer in sorted(sheets, key=lambda sheet: sheet[0] == "matched"):
        if name == "matched":
            wait_for_matched()  # last: it may take longer than all other sheets
        front = [column for column in _FRONT if name == "discrepancies" and column in columns]
        order = [*front, *(column for column in columns if column not in front)]
        _records(writer, order, folder / f"{name}.csv", most.get(name, MOST_ROWS))
        if front:
            writer.sheet.freeze_panes(1, len(front))
            writer.sheet.set_zoom(80)  # so that there is room beside what is frozen
    book.close()
    return path


def _bridge(writer: SheetWriter, rows: Sequence[Mapping[str, Any]]) -> None:
    """From the KS Pay total to the ledger total of each currency; the ledger total is the sum of the lines above it."""
    sheet, formats = writer.sheet, writer.formats
    _begin(writer, ("currency", "line", "count", "amount", "its rows"))
    sheet.set_column(2, 2, 9)
    # As the texts below it: else it touches the heading of the amounts, which stands at their right.
    sheet.write_string(0, 4, "its rows", formats.of(**HEADER, align="left", indent=1))
    first, exact = 1, True
    for at, row in enumerate(rows, start=1):
        line, currency, written = LINES[row["line"]], row["currency"], row["amount"]
        if row["line"] == KSPAY_TOTAL or row["currency"] != rows[at - 2]["currency"]:
            first, exact = at, True
        total = row["line"] in (KSPAY_TOTAL, LEDGER_TOTAL)
        exact = exact and is_exact(written)
        sheet.set_row(at, LINE_HEIGHT * ceil(len(line.rows) / (_WIDTHS["its rows"] - 6)))
        look = formats.of(bold=total)
        for column, value in ((0, currency), (1, line.title)):
            sheet.write_string(at, column, value, look)
        sheet.write_string(at, 4, line.rows, formats.of(bold=total, text_wrap=True, align="left", indent=1))
        sheet.write_number(at, 2, row["count"], formats.of(bold=total, num_format="#,##0"))
        if row["line"] == LEDGER_TOTAL and exact and at > first:
            writer.total(first, at, 3, (written, currency))
        else:
            writer.amount(at, 3, (written, currency), bold=total)
    sheet.autofilter(0, 0, max(len(rows), 1), 4)


def _records(writer: SheetWriter, columns: Sequence[str], path: Path, most: int) -> None:
    """One row for each row of a CSV file, at most `most` and as many as fit; the last row says what is left out."""
    sheet = writer.sheet
    _begin(writer, columns)
    writers = [(name, number, _cell_writer(writer, name)) for number, name in enumerate(columns)]
    last = 0
    file = read_csv(path)
    rows = shown_rows(next(file), file, columns)
    in_words = [(name, say) for name, say in _IN_WORDS.items() if name in columns]
    # The header takes a row, and so does the text about what is left out.
    for at, row in enumerate(islice(rows, min(most, MOST_ROWS - 2)), start=1):
        last = at
        for name, say in in_words:
            row = {**row, name: say(row[name])}
        if (lines := _lines(row)) > 1:
            sheet.set_row(at, LINE_HEIGHT * lines)
        for name, number, write in writers:
            if row[name]:
                write(at, number, row[name], row)
    if next(file, None) is not None:
        left_out = count_rows(path) - last
        says = f"{left_out} more rows are not in this sheet: {path.name} of this run has all of them"
        sheet.write_string(last + 1, 0, says, writer.formats.of(bold=True))
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


def _lines(row: Row) -> int:
    """The number of lines of the longest wrapped text of a row; not every program sets the row height itself."""
    return max(
        (
            sum(ceil(len(line) / (_WIDTHS[name] - 6)) or 1 for line in row[name].split("\n"))
            for name in _WRAPPED
            if row.get(name)
        ),
        default=1,
    )


def _cell_writer(writer: SheetWriter, name: str) -> _Write:
    """The function that writes the cells of a column; chosen once, because there may be millions of cells."""
    sheet, formats = writer.sheet, writer.formats
    unformatted = formats.of()
    if name in AMOUNTS:
        looks: dict[tuple[int, int, bool, str], Format] = {}

        def write_amount(at: int, column: int, value: str, row: Row) -> None:
            if len(value) > EXACT_DIGITS:
                writer.amount(at, column, (value, row["currency"]))
                return
            # What the format depends on.
            form = (len(value), value.find("."), value[0] == "-", row["currency"])
            if form not in looks:
                looks[form] = formats.of(num_format=pattern(value, row["currency"]))
            sheet.write_number(at, column, Decimal(value), looks[form])

        return write_amount
    if name in NUMBERS:
        return lambda at, column, value, _: sheet.write_number(at, column, int(value), unformatted)
    if name in DAYS:
        a_day = formats.of(num_format="yyyy-mm-dd", align="left", indent=1)

        def write_day(at: int, column: int, value: str, _: Row) -> None:
            if value >= "1900-03-01":  # spreadsheets disagree on days before this
                sheet.write_number(at, column, (date.fromisoformat(value) - _DAY_ZERO).days, a_day)
            else:
                sheet.write_string(at, column, value, unformatted)

        return write_day
    if name == "severity":
        colours = {word: formats.of(bg_color=colour) for word, colour in _COLOURS.items()}
        return lambda at, column, value, _: sheet.write_string(at, column, value, colours[value])
    look = formats.of(text_wrap=True) if name in _WRAPPED else unformatted
    return lambda at, column, value, _: sheet.write_string(at, column, value, look)


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


def _begin(writer: SheetWriter, columns: Sequence[str]) -> None:
    """Write the header, and set how the sheet is shown and printed."""
    sheet = writer.sheet
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
        look = writer.formats.of(**HEADER, align=align)
        sheet.write_string(0, number, name, look)


def _about(writer: SheetWriter, run: Mapping[str, Any]) -> None:
    lines = [
        ("run", run["run_id"]), ("from", run["from"]), ("to", run["to"]), ("time zone", run["timezone"]),
        *(("app", app) for app in run["apps"]),
        ("started", run["started_at"]), ("finished", run["finished_at"]),
        *((f"version of {name}", version) for name, version in run["versions"].items()),
        # An older run has neither of the two.
        *((name, value or "none") for name, value in run.get("settings", {}).items()),
        *(line for allowed in run.get("allowed", ()) for line in allowed_lines(allowed)),
        *(("check passed", check) for check in run["checks"]),
        *(("warning", warning) for warning in run["warnings"]),
    ]  # fmt: skip
    _begin(writer, ("what", "says"))
    sheet, look = writer.sheet, writer.formats.of(text_wrap=True)
    for number, (name, value) in enumerate(lines, start=1):
        if len(value.encode("utf-16-le")) > 2 * LONGEST_TEXT:
            value = f"{value[: LONGEST_TEXT // 2]}… (whole in run.json)"
        sheet.write_string(number, 0, name, look)
        sheet.write_string(number, 1, value, look)


_IN_WORDS: Mapping[str, Callable[[str], str]] = {"raw": readable, "line": lambda name: LINES[name].title}
"""The columns that the workbook shows in another way than the CSV file, and how."""


def _columns(writer: SheetWriter) -> None:
    """What each column of the other sheets and of the CSV files means."""
    _begin(writer, ("column", "meaning", "written as", "in"))
    sheet, look = writer.sheet, writer.formats.of(text_wrap=True)
    for at, (column, files) in enumerate(dictionary(RUN_FILES), start=1):
        values = (column.name, column.meaning, str(column.form), ", ".join(files))
        if (lines := _lines({"meaning": column.meaning})) > 1:
            sheet.set_row(at, LINE_HEIGHT * lines)
        for number, value in enumerate(values):
            sheet.write_string(at, number, value, look)
