"""The files of a close statement: CSV, a workbook and a page that prints on A4.

The same statement gives the same bytes. `Approval` is what the audit trail says of the close, if there is one.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import xlsxwriter
from markupsafe import Markup

from reconcile.core.dialect import Dialect
from reconcile.core.money import Currencies, grouped
from reconcile.core.people import same_person
from reconcile.core.writing import writing
from reconcile.report.columns import AMOUNTS, DAYS, NUMBERS, STATEMENT, STATEMENT_ITEMS, STATEMENT_SIGNOFF
from reconcile.report.csv_cells import amount_cell, cell, shown, text_cell
from reconcile.report.csv_files import read_csv, write_csv
from reconcile.report.html import environment, source_hash
from reconcile.report.statement import Line, Movement, Statement, in_order
from reconcile.report.workbook_cells import HEADER, PRINT_SCALE, Formats, SheetWriter, is_exact, pattern

LISTED = 500
"""Items behind one line that the page lists."""

_WIDTHS = {
    "note": 40, "discrepancy_id": 26, "type": 24, "run_id": 26, "record": 26, "name": 30, "line": 11, "currency": 10,
    "count": 8, "as_of": 12, "decision": 11, "side": 8,
}  # fmt: skip

MEANINGS: Mapping[str, str] = {
    "opening": "open at the opening",
    "new": "reported for the first time",
    "reopened": "open again",
    "changed": "more or less at stake",
    "cleared": "the data became right",
    "accept": "decided: known and right as it is",
    "write_off": "decided: lost, or booked elsewhere",
    "ignore": "decided: not our business",
    "match": "decided: belongs to another record",
    "closing": "open at the closing",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """Who closed a month, as which version, and when."""

    by: str
    at: datetime
    version: int


def statement_files(
    statement: Statement,
    currencies: Currencies,
    dialect: Dialect,
    folder: Path,
    approval: Approval | None = None,
) -> list[Path]:
    """Write all files of a statement into a folder; returns their paths."""
    name = f"statement-{statement.month}"
    tables = {
        name: (STATEMENT, _rows(STATEMENT, statement.lines, currencies, dialect)),
        f"{name}-items": (STATEMENT_ITEMS, _rows(STATEMENT_ITEMS, statement.items, currencies, dialect)),
        f"{name}-signoff": (STATEMENT_SIGNOFF, signoff(statement, approval)),
    }
    for stem, (columns, rows) in tables.items():
        write_csv(folder / f"{stem}.csv", columns, rows, dialect)
    _write_workbook(folder / f"{name}.xlsx", folder, tables, statement)
    (folder / f"{name}.html").write_text(render_statement(statement, currencies, approval), "utf-8")
    return [*(folder / f"{stem}.csv" for stem in tables), folder / f"{name}.xlsx", folder / f"{name}.html"]


def change_files(
    since: Statement, currencies: Currencies, dialect: Dialect, folder: Path, version: int
) -> list[Path]:
    """Write what moved since a version was closed: the lines, and the items behind them."""
    name = f"statement-{since.month}-since-v{version}"
    paths = []
    for stem, columns, rows in (
        (name, STATEMENT, since.lines),
        (f"{name}-items", STATEMENT_ITEMS, in_order(since.movements)),
    ):
        paths.append(folder / f"{stem}.csv")
        write_csv(paths[-1], columns, _rows(columns, rows, currencies, dialect), dialect)
    return paths


def write_statement(
    statement: Statement,
    currencies: Currencies,
    dialect: Dialect,
    out: Path,
    approval: Approval | None = None,
) -> list[Path]:
    """Write the files of a statement into `out`, none ever in part. Raises as `write_whole` does."""
    return write_whole(out, lambda aside: statement_files(statement, currencies, dialect, aside, approval))


def write_whole(out: Path, write: Callable[[Path], Sequence[Path]]) -> list[Path]:
    """Let `write` write into a folder aside, then move all to `out`.

    Raises UsageError if it cannot be written, DiskFull if it has no room."""
    with writing(f"--out {out}"):
        out.mkdir(parents=True, exist_ok=True)
        aside = Path(mkdtemp(prefix=".writing.", dir=out))
        try:
            return [path.replace(out / path.name) for path in write(aside)]
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def signoff(statement: Statement, approval: Approval | None) -> list[dict[str, str]]:
    """Who prepared and who approved the statement, as cells."""
    empty = dict.fromkeys(STATEMENT_SIGNOFF, "")
    rows = [
        {**empty, "role": "preparer", "name": text_cell(name), "decisions": cell(made)}
        for name, made in statement.preparers.items()
    ]
    approver = {**empty, "role": "approver"}
    if approval is not None:
        at = approval.at.astimezone(UTC)
        approver |= {"name": text_cell(approval.by), "at": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return [*rows, approver]


def _rows(
    columns: Sequence[str], rows: Iterable[Line | Movement], currencies: Currencies, dialect: Dialect
) -> list[dict[str, str]]:
    return [
        {
            name: amount_cell(currencies.written(row.amount, row.currency), dialect)
            if name == "amount"
            else _cell(getattr(row, name))
            for name in columns
        }
        for row in rows
    ]


def _cell(value: object) -> str:
    return text_cell(value) if isinstance(value, str) else cell(value)


def _write_workbook(
    path: Path, folder: Path, tables: Mapping[str, tuple[Sequence[str], Any]], statement: Statement
) -> None:
    """Each table as a sheet, with numbers and days as such; from the CSV files, so that both say the same."""
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(folder)})
    book.set_properties(
        {"title": f"Close statement {statement.month}", "created": datetime.combine(statement.last, time())}
    )
    formats = Formats(book)
    for title, (stem, (columns, _)) in zip(("Statement", "Items", "Sign-off"), tables.items(), strict=True):
        writer = SheetWriter(book.add_worksheet(title), formats)
        _begin_sheet(writer, columns, statement.month, is_wide=title == "Items")
        at = 0
        names, *rows = read_csv(folder / f"{stem}.csv")
        for at, cells in enumerate(rows, start=1):
            row = dict(zip(names, cells, strict=True))
            total = title == "Statement" and row["line"] in ("opening", "closing")
            for number, name in enumerate(columns):
                if shown(row[name]):
                    _write_cell(writer, (at, number), name, row, {"bold": True} if total else {})
        if title == "Items":
            writer.sheet.autofilter(0, 0, max(at, 1), len(columns) - 1)
    book.close()


def _begin_sheet(writer: SheetWriter, columns: Sequence[str], month: str, *, is_wide: bool) -> None:
    """Write the header, and set how the sheet is shown and printed."""
    sheet = writer.sheet
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.repeat_rows(0)
    if is_wide:
        # Too many columns for one page in type that can be read: pages side by side, each with line and id.
        sheet.set_print_scale(PRINT_SCALE)
        sheet.repeat_columns(0, 1)
        sheet.set_margins(left=0.25, right=0.25, top=0.5, bottom=0.6)
    else:
        sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L&A {month}&RPage &P of &N")
    for number, name in enumerate(columns):
        sheet.set_column(number, number, _WIDTHS.get(name, 18))
        align = "right" if name in AMOUNTS or name in NUMBERS else "left"
        sheet.write_string(0, number, name, writer.formats.of(**HEADER, align=align))


def _write_cell(
    writer: SheetWriter, place: tuple[int, int], name: str, row: Mapping[str, str], look: Mapping[str, Any]
) -> None:
    """Write the value of one column of a CSV row at a place: row and column."""
    sheet, of, value = writer.sheet, writer.formats.of, shown(row[name])
    if name in AMOUNTS and is_exact(value):
        sheet.write_number(*place, Decimal(value), of(num_format=pattern(value, row["currency"]), **look))
    elif name in AMOUNTS:
        sheet.write_string(*place, value, of(align="right", shrink=True))
    elif name in NUMBERS:
        sheet.write_number(*place, int(value), of(**look))
    elif name in DAYS:
        sheet.write_datetime(*place, datetime.fromisoformat(value), of(num_format="yyyy-mm-dd", align="left"))
    else:
        sheet.write_string(*place, value, of(text_wrap=name == "note", **look))


def render_statement(statement: Statement, currencies: Currencies, approval: Approval | None = None) -> str:
    """The page of a statement; every value in it is escaped by the template engine."""
    folder = Path(__file__).parent
    style = "".join((folder / name).read_text("utf-8") for name in ("page.css", "statement.css"))

    def written(amount: Decimal, currency: str) -> str:
        return grouped(currencies.written(amount, currency), currency)

    behind: dict[tuple[str, str, str], list[Movement]] = {}
    for item in statement.items:
        behind.setdefault((item.app_id, item.currency, item.line), []).append(item)
    return environment().get_template("statement.html").render(
        close=statement,
        approval=approval,
        preparers=list(statement.preparers.items()),
        by_one_person=approval is not None and [approval.by] == [
            approval.by if same_person(name, approval.by) else name for name in statement.preparers
        ],
        behind=behind,
        listed=LISTED,
        meanings=MEANINGS,
        written=written,
        style=Markup(style),  # noqa: S704 - ours
        style_hash=source_hash(style),
    )  # fmt: skip
