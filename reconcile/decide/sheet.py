"""Reads back a discrepancies.csv, or the workbook of a run, that people filled in, however their program saved it.

Columns are found by their names, wherever they stand now. Four are read and no other.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from stat import S_ISREG

from reconcile.core.errors import InputRefused, UsageError
from reconcile.ledger.formats.delimited import DELIMITERS
from reconcile.ledger.formats.detect import candidates
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.table import BrokenRecord, Cell, Table, UnreadableCell, number_text

COLUMNS = ("discrepancy_id", "facts", "resolution", "note")
"""What is read."""

MARKS = ("discrepancy_id", "facts")
"""The columns by which a file is known for one of decisions, and not a ledger."""

MATCH = "match"
WORDS = ("accept", "write_off", "ignore", MATCH, "reopen")
"""What people write into `resolution`; after `match` a colon and ids."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row that says something."""

    number: int
    """As a spreadsheet shows it: the first line is row 1."""
    discrepancy_id: str
    facts: str
    resolution: str
    note: str
    broken: str | None = None
    """Why the row cannot be read; then the other fields may be wrong."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table whose header names the four columns."""

    path: Path
    name: str
    """The base name of the file, as text that can be stored."""
    table: Table
    header_row: int
    columns: tuple[int, ...]
    """Where each of COLUMNS stands, counted from 0."""
    width: int

    @property
    def sha256(self) -> str:
        """Of the file's bytes, in hexadecimal digits."""
        return self.table.sha256

    def rows(self) -> Iterator[Row | None]:
        """Every row below the header; None for one whose resolution and note are both empty.

        Raises InputRefused if the file is no longer the one that was opened.
        """
        for number, cells in self.table.records():
            if number > self.header_row:
                yield self._row(number, cells)

    def _row(self, number: int, cells: Sequence[Cell] | BrokenRecord) -> Row | None:
        if isinstance(cells, BrokenRecord):
            return Row(number, "", "", "", "", f"the row {cells.reason}")
        # Spreadsheets leave out empty cells at the end of a row; more cells than columns are another thing: a
        # text whose quotes were lost. In a workbook they are what somebody wrote beside the table.
        surplus = any(_plain(cell) for cell in cells[self.width :]) and not isinstance(self.table, SheetTable)
        found = [cells[column] if column < len(cells) else "" for column in self.columns]
        values = [_plain(cell) for cell in found]
        broken = None
        if surplus:
            broken = (
                f"the row has {len(cells)} cells where the header has {self.width}: put the note in quotes"
            )
        elif any("\0" in value or not _encodable(value) for value in values):
            broken = "the row holds characters that are no text: save the file as UTF-8"
        elif not (values[2] or values[3]) and not any(isinstance(cell, UnreadableCell) for cell in found[2:]):
            return None
        else:
            for name, cell in zip(COLUMNS, found, strict=True):
                if isinstance(cell, UnreadableCell):
                    broken = f"{name} {cell.reason}"
        discrepancy_id, facts, resolution, note = values
        return Row(number, discrepancy_id, facts, resolution, note, broken)


def open_sheet(path: Path) -> Sheet:
    """Look at a whole file and find the four columns.

    Raises UsageError if there is no such file, InputRefused if it is no table, lacks or repeats one of the columns, or
    has them in several sheets.
    """
    table, row, names = _look(path)
    where = f"{path}, row {row}" if row else f"{path}"
    if lacking := [name for name in COLUMNS if name not in names]:
        columns = f"column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        raise InputRefused(
            f"{where}: the header lacks the {columns}; fill in the discrepancies.csv, resolved.csv or workbook of "
            "a run and keep its header"
        )
    if repeated := [name for name in COLUMNS if names.count(name) > 1]:
        raise InputRefused(f"{where}: the header repeats the column {repeated[0]}; keep one of them")
    return Sheet(
        path=path,
        name=os.fsencode(path.name).decode("utf-8", "backslashreplace"),
        table=table,
        header_row=row,
        columns=tuple(names.index(name) for name in COLUMNS),
        width=len(names),
    )


def holds_decisions(path: Path) -> bool:
    """Whether the header of this file is one of decisions; a file that cannot be read is none."""
    try:
        names = _look(path)[2]
    except (InputRefused, UsageError):
        return False
    return all(name in names for name in MARKS)


def _look(path: Path) -> tuple[Table, int, list[str]]:
    """The table that makes most sense, the number of its header row (0: there is none), the names there."""
    try:
        if not S_ISREG(path.stat().st_mode):
            raise UsageError(
                f"{path}: is not a file; name a discrepancies.csv or a workbook that was filled in"
            )
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}") from None
    found = [(table, *_header(table)) for table in candidates(path, str(path))]
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
        raise InputRefused(f"{path}: holds no sheet of cells")
    return max(found, key=lambda one: (len(set(one[2]) & set(COLUMNS)), len(one[2])))


def _header(table: Table) -> tuple[int, list[str]]:
    """The first row that is not blank: its number, and its names in lower case."""
    for number, cells in table.records():
        if isinstance(cells, BrokenRecord):
            return number, [cells.line.strip().lower()]
        names = [_plain(cell).lower() for cell in cells]
        if any(name.strip("".join(DELIMITERS)) for name in names):
            return number, names
    return 0, []


def _plain(cell: Cell) -> str:
    """The text that a cell shows: without blanks around it, out of `="…"`, its lines ended by LF."""
    if isinstance(cell, Decimal):
        return number_text(cell)
    if isinstance(cell, date):
        # What is typed as 1/2 is a day for a spreadsheet.
        whole_day = not isinstance(cell, datetime) or cell.time() == time()
        return f"{cell:%Y-%m-%d}" if whole_day else f"{cell:%Y-%m-%d %H:%M:%S}"
    value = str(cell).strip()
    if len(value) > 2 and value.startswith('="') and value.endswith('"'):
        value = value[2:-1].replace('""', '"').strip()
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
