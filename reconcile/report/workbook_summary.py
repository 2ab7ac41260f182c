"""The sheet Summary of a run's workbook: the run at a glance, what is reconciled, and the control totals."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from reconcile.core.discrepancies import GLANCE, TYPES
from reconcile.core.wording import day, percent, words
from reconcile.report.columns import SUMMARY
from reconcile.report.csv_files import read_csv
from reconcile.report.figures import compared, parts, reconciled, share_of
from reconcile.report.workbook_cells import (
    HEADER,
    LINE_HEIGHT,
    PRINT_SCALE,
    Amount,
    SheetWriter,
    is_exact,
    shown_rows,
    sum_above,
)

_LONG_NAME = 20
"""Letters of a name that takes several lines of its cell."""

_NO_CURRENCY = "none"
"""The currency of what has none, as the terminal shows it."""

_NUMBERS_FROM = 4
"""In the sheet Summary: the column of the first numbers. Those before it hold texts."""


def write_summary(writer: SheetWriter, run: Mapping[str, Any], path: Path) -> None:
    """What the page says first: at a glance, reconciled, by type; then the control totals. In words, not codes.

    The sheet has no filter: sorting would separate a total from its rows.
    """
    sheet = writer.sheet
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.set_footer("&L&A&RPage &P of &N")
    sheet.set_print_scale(PRINT_SCALE)
    sheet.set_margins(left=0.25, right=0.25, top=0.5, bottom=0.6)
    for column, width in enumerate((19, 8, 8, 31, 10, 14, 7, 13, 7, 13)):
        sheet.set_column(column, column, width)
    tables = _SmallTables(writer)
    first, last = (day(date.fromisoformat(run[name])) for name in ("from", "to"))
    tables.title(f"Reconciliation {first} to {last}", size=16)
    _glance(tables, run)
    shares = [("Transactions", "kspay"), ("Ledger entries", "ledger")]
    tables.title("Reconciled")
    tables.header("What", "", "Currency", "Share", "Reconciled", "Amount", "Of", "Of amount")
    for name, side in shares:
        for row in reconciled(run["totals"], side):
            currency = row["currency"]
            if not currency:
                continue  # what cannot be used is no share of anything
            amounts = [(row[key], currency) for key in ("amount", "of_amount")]
            share = percent(share_of(row))
            tables.line(name, "", currency, share, row["count"], amounts[0], row["of"], amounts[1])
    if types := (run.get("at_a_glance") or {}).get("types"):
        tables.title("Open, by type", new_page=True)
        tables.header("Type", "Severity", "Currency", "What to do", "Open", "At stake")
        for row in types:
            what = TYPES[row["type"]].to_do(row["severity"])
            stake = (row["amount"], row["currency"]) if row["currency"] else None
            currency = row["currency"] or _NO_CURRENCY
            tables.line(words(row["type"]), row["severity"], currency, what, row["count"], stake)
    _control_totals(tables, path)
    sheet.set_h_pagebreaks(tables.breaks)


class _SmallTables:
    """Writes a sheet of several small tables, one below the other."""

    def __init__(self, writer: SheetWriter) -> None:
        self.writer = writer
        self.sheet = writer.sheet
        self.formats = writer.formats
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
            self.sheet.set_row(self.at, LINE_HEIGHT * 4)
        for column, name in enumerate(names):
            align = "right" if column >= _NUMBERS_FROM else "left"
            look = self.formats.of(**HEADER, align=align, text_wrap=True)
            self.sheet.write_string(self.at, column, name, look)
        self.at += 1

    def line(self, *values: str | int | Amount | None, bold: bool = False) -> None:
        """A row: texts, whole numbers, and amounts with their currency."""
        wrapped = self.formats.of(bold=bold, text_wrap=True)
        for column, value in enumerate(values):
            if isinstance(value, int):
                number = self.formats.of(bold=bold, num_format="#,##0")
                self.sheet.write_number(self.at, column, value, number)
            elif isinstance(value, tuple):
                self.writer.amount(self.at, column, value, bold=bold)
            elif value:
                self.sheet.write_string(self.at, column, value, wrapped)
        self.at += 1


def _glance(tables: _SmallTables, run: Mapping[str, Any]) -> None:
    """What is at risk, to check, timing and in quarantine, by currency, beside the runs that it is compared with."""
    then = compared(run.get("at_a_glance") or {})
    named = [f"{words(title)}, {day(date.fromisoformat(earlier['to']))}" for title, earlier in then]
    tables.title("At a glance")
    tables.header(
        "What",
        "",
        "Currency",
        "Meaning",
        "Open",
        "At stake",
        *(part for name in named for part in (name, "At stake")),
    )
    by_part = [
        {(row["part"], row["currency"]): row for row in rows}
        for rows in (parts(run), *(earlier["parts"] for _, earlier in then))
    ]
    for part, meaning in GLANCE.items():
        known = {currency for found in by_part for name, currency in found if name == part}
        # What has no currency comes last: beside the name of the part, its count would look like that of all.
        for number, currency in enumerate(sorted(known, key=lambda code: (not code, code)) or [""]):
            shown = currency or (_NO_CURRENCY if known else "")
            cells: list[Any] = []
            for found in by_part:
                row = found.get((part, currency), {"count": 0, "amount": "0"})
                cells += [row["count"], (row["amount"], currency) if currency else None]
            tables.line(*((words(part), "", shown, meaning) if not number else ("", "", shown, "")), *cells)


def _control_totals(tables: _SmallTables, path: Path) -> None:
    """The rows of summary.csv. Each total is a formula over the rows above it."""
    tables.title("Control totals", new_page=True)
    tables.header("Records", "Side", "Currency", "Outcome", "Count", "Amount")
    sheet, formats = tables.sheet, tables.formats
    count, amount = _NUMBERS_FROM, _NUMBERS_FROM + 1
    first, exact = tables.at, True
    file = read_csv(path)
    for row in shown_rows(next(file), file, SUMMARY):
        total = row["outcome"] == "total"
        at, written, currency = tables.at, row["amount"], row["currency"]
        scope = "Dated in the period" if row["scope"] == "period" else "Earlier, still listed"
        # SUM ignores text, so the total of amounts that are text is written as in summary.csv.
        exact = exact and is_exact(written)
        tables.line(
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
            sheet.write_formula(at, count, sum_above(first, at, count, 0), look, int(row["count"]))
        if total and exact:
            tables.writer.total(first, at, amount, (written, currency))
        if total:
            first, exact = at + 1, True
