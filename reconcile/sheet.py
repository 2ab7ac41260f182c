"""Reads back a discrepancies.csv that people filled in, however their program saved it.

Columns are found by their names, wherever they stand now. Four are read and no other.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from reconcile.errors import InputRefused, UsageError
from reconcile.ledger.cells import Broken
from reconcile.ledger.delimited import DELIMITERS, NotTextError, Survey, records, survey

COLUMNS = ("discrepancy_id", "facts", "resolution", "note")
"""What is read."""

MARKS = ("discrepancy_id", "facts")
"""The columns by which a file is known for one of decisions, and not a ledger."""

MATCH = "match"
WORDS = ("accept", "write_off", "ignore", MATCH, "reopen")
"""What people write into `resolution`; after `match` a colon and ids."""

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # XLSX and ODS are zip files; XLS is a compound file


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
    """A file whose header names the four columns."""

    path: Path
    name: str
    """The base name, as text that can be stored."""
    text: Survey
    delimiter: str
    header_row: int
    columns: tuple[int, ...]
    """Where each of COLUMNS stands, counted from 0."""
    width: int

    def rows(self) -> Iterator[Row | None]:
        """Every row below the header; None for one whose resolution and note are both empty.

        Raises InputRefused if the file is no longer the one that was opened.
        """
        try:
            for number, cells in _records(self.path, self.text, self.delimiter):
                if number > self.header_row:
                    yield self._row(number, cells)
            unchanged = self.path.stat().st_mtime_ns == self.text.modified_ns
        except (OSError, UnicodeDecodeError):
            unchanged = False
        if not unchanged:
            raise InputRefused(f"{self.path}: changed while it was read; give it again when it is saved")

    def _row(self, number: int, cells: list[str] | Broken) -> Row | None:
        if isinstance(cells, Broken):
            return Row(number, "", "", "", "", f"the row {cells.reason}")
        # Spreadsheets leave out empty cells at the end of a row; more cells than columns are another thing.
        surplus = any(cell.strip() for cell in cells[self.width :])
        values = [_plain(cells[column]) if column < len(cells) else "" for column in self.columns]
        broken = None
        if surplus:
            broken = (
                f"the row has {len(cells)} cells where the header has {self.width}: put the note in quotes"
            )
        elif any("\0" in value or not _encodable(value) for value in values):
            broken = "the row holds characters that are no text: save the file as UTF-8"
        elif not (values[2] or values[3]):
            return None
        discrepancy_id, facts, resolution, note = values
        return Row(number, discrepancy_id, facts, resolution, note, broken)


def open_sheet(path: Path) -> Sheet:
    """Look at a whole file and find the four columns.

    Raises UsageError if there is no such file, InputRefused if it is a workbook, no text, or lacks or
    repeats one of the columns.
    """
    text, row, cells, delimiter = _look(path)
    names = [cell.lower() for cell in cells]
    where = f"{path}, row {row}" if row else f"{path}"
    if lacking := [name for name in COLUMNS if name not in names]:
        columns = f"column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        raise InputRefused(
            f"{where}: the header lacks the {columns}; fill in a discrepancies.csv or resolved.csv of a run "
            "and keep its header"
        )
    if repeated := [name for name in COLUMNS if names.count(name) > 1]:
        raise InputRefused(f"{where}: the header repeats the column {repeated[0]}; keep one of them")
    return Sheet(
        path=path,
        name=os.fsencode(path.name).decode("utf-8", "backslashreplace"),
        text=text,
        delimiter=delimiter,
        header_row=row,
        columns=tuple(names.index(name) for name in COLUMNS),
        width=len(names),
    )


def holds_decisions(path: Path) -> bool:
    """Whether the header of this file is one of decisions; a file that cannot be read is none."""
    try:
        names = [cell.lower() for cell in _look(path)[2]]
    except (InputRefused, UsageError):
        return False
    return all(name in names for name in MARKS)


def _look(path: Path) -> tuple[Survey, int, list[str], str]:
    """The file's encoding, the number of its header row (0: there is none), its cells, the delimiter."""
    try:
        if not S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: is not a file; name a discrepancies.csv that was filled in")
        with path.open("rb") as file:
            head = file.read(4)
        if head in _WORKBOOKS:
            raise InputRefused(f"{path}: is a workbook; save the sheet as CSV and give that file")
        text = survey(path)
        candidates = [(*_header(path, text, delimiter), delimiter) for delimiter in DELIMITERS]
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}") from None
    except NotTextError as error:
        raise InputRefused(f"{path}: {error}: not a table; save it as CSV (UTF-8)") from None
    row, cells, delimiter = max(candidates, key=_sense)
    return text, row, cells, delimiter


def _sense(candidate: tuple[int, list[str], str]) -> tuple[int, int]:
    names = {cell.lower() for cell in candidate[1]}
    return len(names & set(COLUMNS)), len(candidate[1])


def _header(path: Path, text: Survey, delimiter: str) -> tuple[int, list[str]]:
    """The first row that is not blank."""
    for number, cells in _records(path, text, delimiter):
        if isinstance(cells, Broken):
            return number, [cells.line.strip()]
        if any(cell.strip().strip("".join(DELIMITERS)) for cell in cells):
            return number, [_plain(cell) for cell in cells]
    return 0, []


def _records(path: Path, text: Survey, delimiter: str) -> Iterator[tuple[int, list[str] | Broken]]:
    with path.open(encoding=text.encoding, errors=text.errors, newline="") as file:
        yield from enumerate(records(file, delimiter), start=1)


def _plain(cell: str) -> str:
    """The text that a cell shows: without blanks around it, out of `="…"`, its lines ended by LF."""
    value = cell.strip()
    if len(value) > 2 and value.startswith('="') and value.endswith('"'):
        value = value[2:-1].replace('""', '"').strip()
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
