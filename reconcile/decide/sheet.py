"""Reads a discrepancies.csv or a run's workbook that people filled in, whatever program saved it.

Columns are found by their names, in any order. Only six of them are read, and sheets of older runs have four of these.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from stat import S_ISREG

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.people import same_person
from reconcile.ledger.dates import ISO_DAY, DateStyle, decide
from reconcile.ledger.formats.delimited import DELIMITERS
from reconcile.ledger.formats.detect import candidates
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.table import (
    MERGED,
    BrokenRecord,
    Cell,
    Spanned,
    Table,
    UnreadableCell,
    number_text,
    visible,
)

COLUMNS = ("discrepancy_id", "facts", "resolution", "note")
"""The columns that every sheet has."""

_NOTE = COLUMNS.index("note")

ASSIGNMENT = ("assignee", "due")
"""Those that a sheet of an older run lacks."""

MARKS = ("discrepancy_id", "facts")
"""A file with these columns is a sheet of decisions, not a ledger."""

_DAYS = ("first_seen", "kspay_date", "ledger_date", "due")

PERSON = "by"
"""A column that names who decided, in a sheet of the inbox."""

_DECIDED = (PERSON, "at")
"""The columns that only resolved.csv has: there they say who decided what is in force."""

_FILL_IN = "fill in the discrepancies.csv, resolved.csv or workbook of a run, and keep its header"

_ALSO_FOR_DECISIONS = ("save it", "save the", "unpack", "give the file")
"""Advice about ledgers that also fits a file of decisions."""

_TITLE = 20
"""Rows among which the header is looked for."""

ACCEPT = "accept"
MATCH = "match"
WORDS = (ACCEPT, "write_off", "ignore", MATCH, "reopen")
"""The words that people write into `resolution`; after `match` may come a colon and ids."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row with a resolution or a note."""

    number: int
    """The row number as a spreadsheet shows it: the first row is 1."""
    discrepancy_id: str
    facts: str
    resolution: str
    note: str
    assignee: str = ""
    due: str = ""
    """A day, as YYYY-MM-DD; or what stands there, if it is no day."""
    broken: str | None = None
    """Why the row cannot be read; then the other fields may be wrong."""
    by: str = ""
    """Who decided, in a sheet of the inbox."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table whose header names the columns."""

    path: Path
    name: str
    """The base name of the file, as text that the database can store."""
    table: Table
    header_row: int
    columns: tuple[int | None, ...]
    """The position of each of COLUMNS, of ASSIGNMENT and of PERSON, counted from 0; None where there is none."""
    days: tuple[int, ...]
    """The positions of the columns of days: together they show in which order the file writes day and month."""
    width: int
    is_resolved: bool = False
    """Whether it is a resolved.csv, whose decisions are those in force."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal digits."""
        return self.table.sha256

    @property
    def hidden(self) -> Set[int]:
        """The numbers of the rows that nobody sees who opens the workbook."""
        return self.table.seen.hidden if isinstance(self.table, SheetTable) else frozenset()

    def rows(self) -> Iterator[Row | None]:
        """Every row below the header; None for a row that says nothing.

        Raises InputRefused if the file changed since it was opened.
        """
        style: DateStyle | None = None
        for number, cells in self.table.records():
            if number > self.header_row:
                row = self._row(number, cells)
                if row is not None and row.due and not re.fullmatch(ISO_DAY, row.due, re.ASCII):
                    style = style or self._style()
                    row = replace(row, due=_day(row.due, style))
                yield row

    def _style(self) -> DateStyle:
        """How the file writes days: a spreadsheet that saves a CSV file writes them as its country does."""
        texts: Counter[str] = Counter()
        for number, cells in self.table.records():
            if number > self.header_row and not isinstance(cells, BrokenRecord):
                texts.update(text for at in self.days if at < len(cells) and (text := _shown_text(cells[at])))
        return decide(texts).style

    def _row(self, number: int, cells: Sequence[Cell] | BrokenRecord) -> Row | None:
        if isinstance(cells, BrokenRecord):
            return Row(number, "", "", "", "", broken=f"the row {cells.reason}")
        # Spreadsheets leave out empty cells at the end of a row. More cells than columns mean a text that lost its
        # quotes; in a workbook somebody wrote beside the table.
        surplus = any(_shown_text(cell) for cell in cells[self.width :]) and not isinstance(
            self.table, SheetTable
        )
        found = [
            cells[column] if column is not None and column < len(cells) else "" for column in self.columns
        ]
        # A decision counts for the row that it was written into, and not for all that a merged cell spans.
        found = [MERGED if isinstance(cell, Spanned) else cell for cell in found]
        values = [_shown_text(cell) for cell in found]
        # As in a ledger. What a note says stays as it is.
        values[:_NOTE] = [visible(value).strip() for value in values[:_NOTE]]
        broken = None
        if surplus:
            broken = (
                f"the row has {len(cells)} cells, but the header has {self.width}: put the note in quotes"
            )
        elif any("\0" in value or not _encodable(value) for value in values):
            broken = "the row has characters that are not text: save the file as UTF-8"
        elif not any(values[2:-1]) and not any(isinstance(cell, UnreadableCell) for cell in found[2:-1]):
            return None
        else:
            for name, cell in zip((*COLUMNS, *ASSIGNMENT, PERSON), found, strict=True):
                if isinstance(cell, UnreadableCell):
                    broken = f"{name} {cell.reason}"
        discrepancy_id, facts, resolution, note, assignee, due, by = values
        return Row(number, discrepancy_id, facts, resolution, note, assignee, due, broken, by)


def person_of(sheet: Sheet) -> str | None:
    """Who decided, by the column `by`; None where the sheet has none.

    Raises InputRefused if it names several people.
    """
    if sheet.is_resolved or sheet.columns[-1] is None:
        return None
    names = [row.by for row in sheet.rows() if row is not None and row.by]
    if not names:
        return None
    if other := next((name for name in names if not same_person(name, names[0])), None):
        raise InputRefused(
            f"{sheet.path}: the column {PERSON} names {names[0]} and {other}: give a file for each"
        )
    return names[0]


def open_sheet(path: Path) -> Sheet:
    """Read a file once and find the columns.

    Raises UsageError if there is no such file, InputRefused if it is no table, lacks one of COLUMNS, repeats a column,
    or has them in several sheets.
    """
    table, row, names = _find_header(path)
    if not row:
        raise InputRefused(f"{path}: is empty; {_FILL_IN}")
    where = f"{path}, row {row}"
    if lacking := [name for name in COLUMNS if name not in names]:
        columns = f"column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        raise InputRefused(f"{where}: the header lacks the {columns}; {_FILL_IN}")
    if repeated := [name for name in (*COLUMNS, *ASSIGNMENT) if names.count(name) > 1]:
        raise InputRefused(f"{where}: the header repeats the column {repeated[0]}; keep one of them")
    return Sheet(
        path=path,
        name=os.fsencode(path.name).decode("utf-8", "backslashreplace"),
        table=table,
        header_row=row,
        columns=tuple(
            names.index(name) if name in names else None for name in (*COLUMNS, *ASSIGNMENT, PERSON)
        ),
        days=tuple(at for at, name in enumerate(names) if name in _DAYS),
        width=len(names),
        is_resolved=set(_DECIDED) <= set(names),
    )


def holds_decisions(path: Path) -> bool:
    """Whether this file is a sheet of decisions, by its header; False if it cannot be read."""
    try:
        names = _find_header(path)[2]
    except (InputRefused, UsageError):
        return False
    return all(name in names for name in MARKS)


def _find_header(path: Path) -> tuple[Table, int, list[str]]:
    """The table with most of the columns, the number of its header row (0: none), and the names there."""
    try:
        if not S_ISREG(path.stat().st_mode):
            raise UsageError(
                f"{path}: is not a file; name a discrepancies.csv or a workbook that was filled in"
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}") from None
    found = [(table, *_header(table)) for table in _tables(path)]
    whole = [
        table.name
        for table, _, names in found
        if isinstance(table, SheetTable) and set(COLUMNS) <= set(names)
    ]
    if len(whole) > 1:
        raise InputRefused(
            f"{path}: the sheets {', '.join(map(repr, whole))} all have the columns of decisions; keep one of them"
        )
    if not found:
        raise InputRefused(f"{path}: has no sheet of cells")
    return max(found, key=lambda one: (len(set(one[2]) & set(COLUMNS)), len(one[2])))


def _tables(path: Path) -> list[Table]:
    """What the file may be read as. Of a file of another kind than a table it says what to do with decisions, where
    reading it as a ledger would say what to do with entries."""
    try:
        return candidates(path, str(path))
    except InputRefused as error:
        said = str(error).removeprefix(f"{path}: ")
        if any(advice in said for advice in _ALSO_FOR_DECISIONS):
            raise
        raise InputRefused(f"{path}: {re.split('[;:] ', said)[0]}; {_FILL_IN}") from None


def _header(table: Table) -> tuple[int, list[str]]:
    """The row that names most of the columns among the first that are not blank (a title or `sep=;` may stand above
    it), the first of several: its number, and its names in lower case."""
    best: tuple[int, list[str]] = 0, []
    looked = 0
    for number, cells in table.records():
        names = (
            [cells.line.strip().lower()]
            if isinstance(cells, BrokenRecord)
            else [_shown_text(cell).lower() for cell in cells]
        )
        if not any(name.strip("".join(DELIMITERS)) for name in names):
            continue
        if not best[0] or len(set(names) & set(COLUMNS)) > len(set(best[1]) & set(COLUMNS)):
            best = number, names
        looked += 1
        if looked == _TITLE or set(COLUMNS) <= set(names):
            break
    return best


def _shown_text(cell: Cell) -> str:
    """The text that a cell shows: without white space around it, without `="…"`, and with LF line ends."""
    if isinstance(cell, Decimal):
        return number_text(cell)
    if isinstance(cell, date):
        # A spreadsheet makes a date of 1/2.
        whole_day = not isinstance(cell, datetime) or cell.time() == time()
        return f"{cell:%Y-%m-%d}" if whole_day else f"{cell:%Y-%m-%d %H:%M:%S}"
    value = str(cell).strip()
    if len(value) > 2 and value.startswith('="') and value.endswith('"'):
        value = value[2:-1].replace('""', '"').strip()
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _day(written: str, style: DateStyle) -> str:
    """A day as YYYY-MM-DD; anything else as it is written."""
    try:
        return style.read(written)[0].isoformat()
    except ValueError:
        return written


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
