"""Stage 1 of the merchant's side: a ledger becomes raw rows, each with its place.

A ledger is a CSV file, a workbook, a Parquet file, one of these compressed, or the result of a query. Columns get
their standard names here, and here is found out how dates and amounts are written; nothing is cast: that is
`reconcile.normalise.entries`'s work.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from reconcile.core.errors import InputRefused, Unfinished, UsageError
from reconcile.core.records import Place, RawRow
from reconcile.ledger.archive import Source, unpack
from reconcile.ledger.blocks import Block, in_blocks
from reconcile.ledger.columns import Findings, Style, look, told
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.formats.detect import is_archive, open_table
from reconcile.ledger.formats.query import open_query
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import Header, check_header, find_header, text_of
from reconcile.ledger.profile import COLUMNS, IN, OUT, REQUIRED, Profile
from reconcile.ledger.table import Broken, Cell, Record, Table, Unreadable, plain

__all__ = [
    "BROKEN",
    "COLUMNS",
    "REQUIRED",
    "LedgerFile",
    "Profile",
    "files_of",
    "open_ledgers",
    "query_of",
]

BROKEN = ""
"""The key in `RawRow.values` of the reason why a row is no record; its text is then under `line`.
No column can have this name: a column without a header is called `column 3`."""

_KEYS = frozenset(COLUMNS) - {"amount", "date", "status", "description"}
_AMOUNTS = frozenset({"amount", IN, OUT})
_READ = frozenset({*COLUMNS, IN, OUT})

_UNFINISHED_ENDINGS = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
_PASSED_OVER_NAMES = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger whose header was found good; its rows are read when asked for, as often as wanted."""

    path: Path
    name: str
    """The base name, as the quarantine shows it; with the sheet where there are several, and of an archive with
    the file in it."""
    table: Table
    header: Header
    style: Style
    """How its dates and amounts are written, as the profile says or as all of its rows prove."""
    findings: Findings | None = None
    """What its rows told; None for a query, which is read only once."""
    source: Source | None = None
    """Keeps what was unpacked for as long as it is needed."""

    @property
    def sha256(self) -> str:
        """Of the file's bytes (unpacked), in hexadecimal digits; of a query's rows, once they were read."""
        return self.table.sha256

    @property
    def columns(self) -> tuple[str, ...]:
        """One name a cell: the standard name where it is one, else the header as written."""
        return self.header.names

    def rows(self) -> Iterator[RawRow]:
        """Every row below the header that is not wholly blank, one at a time.

        A value is a text, or a real number or date where the source has such. A row that is no record (too
        many or too few cells, quotes gone wrong) comes with the reason under BROKEN, so that it is quarantined
        and not lost. Raises InputRefused if the file is no longer the one that was opened.
        """
        for record in self.table.records():
            if (row := self.row(record)) is not None:
                yield row

    def parts(self) -> Iterator[Block | RawRow]:
        """The same rows, those of delimited text by the block where that is certain to be right."""
        if not isinstance(self.table, DelimitedTable):
            yield from self.rows()
            return
        for part in in_blocks(self.table, self.header, [name for name in self.columns if name in COLUMNS]):
            if isinstance(part, Block):
                yield part
            elif (row := self.row(part)) is not None:
                yield row

    def row(self, record: Record) -> RawRow | None:
        """One record as a row; None for the header, what stands above it, and a blank one."""
        number, cells = record
        if number <= self.header.row:
            return None
        values = self._texts(cells) if isinstance(self.table, DelimitedTable) else self._values(cells)
        return None if values is None else RawRow(Place(self.name, number), values)

    def _texts(self, cells: Sequence[Cell] | Broken) -> dict[str, Cell] | None:
        """The values of a record of delimited text."""
        if isinstance(cells, Broken):
            return {BROKEN: cells.reason, "line": cells.line}
        line = "".join(cells)  # type: ignore[arg-type]  # all are texts here
        if not line or line.isspace():
            return None
        columns = self.header.names
        if len(cells) != len(columns):
            # Which cell is missing or was cut in two cannot be known, so none is read.
            reason = f"has {len(cells)} cells where the header has {len(columns)}"
            return {
                BROKEN: f"{reason}: put cells that hold the delimiter in quotes",
                "line": self._line(cells),
            }
        if ("\n" in line or "\r" in line) and self._swallowed(cells):
            # Two stray quotes, each at the edge of a cell, turn what lies between them into one cell.
            reason = "holds what looks like another row inside quotes: check its quotation marks"
            return {BROKEN: reason, "line": self._line(cells)}
        if cells[0] == self.header.cells[0] and self._is_header(cells):
            return {BROKEN: "repeats the header", "line": self._line(cells)}
        return dict(zip(columns, cells, strict=True))

    def _values(self, cells: Sequence[Cell] | Broken) -> dict[str, Cell] | None:
        """The values of a record of a source that knows numbers and dates."""
        assert not isinstance(cells, Broken), "only text can be broken so"
        if _blank(cells[0]) and all(map(_blank, cells)):
            return None
        if cells[0] == self.header.cells[0] and self._is_header(cells):
            return {BROKEN: "repeats the header", "line": self._line(cells)}
        values = dict(zip(self.header.names, cells, strict=True))
        for name, cell in values.items():
            if type(cell) is not str:
                values[name] = _fitting(name, cell)
        return values

    def _is_header(self, cells: Sequence[Cell]) -> bool:
        return self.header.row > 0 and tuple(text_of(cell).strip() for cell in cells) == self.header.cells

    def _line(self, cells: Sequence[Cell]) -> str:
        delimiter = self.table.delimiter if isinstance(self.table, DelimitedTable) else ";"
        return delimiter.join(map(text_of, cells))

    def _swallowed(self, cells: Sequence[Cell]) -> bool:
        """Whether a line inside a cell reads like the beginning of a row, up to that cell's column."""
        assert isinstance(self.table, DelimitedTable)
        numbers = [place for place, name in enumerate(self.columns) if name in _AMOUNTS or name == "date"]
        for column, cell in enumerate(cells):
            for line in text_of(cell).splitlines()[1:]:
                parts = line.split(self.table.delimiter)
                if len(parts) > max(column, 1) and all(
                    any(map(str.isdigit, parts[number])) for number in numbers if number < len(parts)
                ):
                    return True
        return False


def _blank(cell: Cell) -> bool:
    text = cell if isinstance(cell, str) else cell.shown if isinstance(cell, Unreadable) else "a value"
    return not text or text.isspace()


def _fitting(name: str, cell: Cell) -> Cell:
    """A cell that is no text, as its column can use it."""
    if name not in _READ:
        return plain(cell) if isinstance(cell, Decimal) else text_of(cell)
    if isinstance(cell, Unreadable) or (name in _AMOUNTS and isinstance(cell, Decimal)):
        return cell
    if isinstance(cell, Decimal):
        if name == "date":
            return Unreadable(plain(cell), "is a number: format the column as a date")
        return plain(cell)
    if name == "date":
        return cell
    if name in _AMOUNTS:
        return Unreadable(text_of(cell), "is a date: format the column as a number")
    if name in _KEYS:
        return Unreadable(
            text_of(cell),
            "is a date, which a spreadsheet may have made of a text such as MAR1: format the column as text",
        )
    return text_of(cell)


def open_ledgers(
    paths: Iterable[Path], profile: Profile, unfinished: list[Unfinished] | None = None
) -> list[LedgerFile]:
    """Open all ledgers of several files and folders, those of a folder sorted by name; none is left out.

    Their headers are checked, and it is found out how dates and amounts are written. Without any path it is the result
    of the profile's query. With a list for what is `unfinished`, files that somebody still writes are noted there.
    Raises UsageError if there is no such file, InputRefused if one is no ledger: empty, no table, without a column
    that is needed, or with more than half of its rows in need of a guess.
    """
    paths = list(paths)
    if not paths:
        return [query_of(profile)]
    found: list[LedgerFile] = []
    for source in (source for path in paths for file in _in_folder(path) for source in files_of(file)):
        try:
            found.append(_opened(source, profile))
        except Unfinished as error:
            if unfinished is None:
                raise
            unfinished.append(error)
            continue
        if len(found) > 1 and isinstance(found[-1].table, SheetTable):
            found[-1].table.release()  # many workbooks do not fit into memory together
    return found


def is_unfinished(name: str) -> bool:
    """Whether a file is hidden, a lock (`~$x.xlsx`) or not yet written to its end, by its name."""
    return name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED_ENDINGS)


def _in_folder(path: Path) -> list[Path]:
    if not S_ISDIR(_mode(path)):
        return [path]
    files = sorted(
        file
        for file in path.iterdir()
        if not is_unfinished(file.name)
        and file.name.lower() not in _PASSED_OVER_NAMES
        and not S_ISDIR(_mode(file))
    )
    if not files:
        raise InputRefused(f"{path}: is a folder without a file in it")
    return files


def files_of(path: Path) -> list[Source]:
    """A file, or those in an archive; raises UsageError if there is no file that can be read."""
    mode = _mode(path)
    if S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder; name one file")
    if not S_ISREG(mode):
        raise UsageError(f"{path}: is not a file")
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    try:
        if not is_archive(path):
            return [Source(path, str(path), name)]
        return unpack(path, name)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f"{path}: no ledger there: {getattr(error, 'strerror', None) or error}") from None


def _opened(source: Source, profile: Profile) -> LedgerFile:
    where = source.where
    table, header, sheet = open_table(source.path, where, profile)
    if header.row == 0:
        raise InputRefused(f"{where}: is empty; a ledger needs a header row with {', '.join(REQUIRED)}")
    findings = look(table, header, profile)
    check_header(where, header, profile, named_by_amounts=bool(findings.currencies))
    if findings.refused is not None:
        raise InputRefused(f"{where}: {findings.refused}")
    name = f"{source.name} [{sheet}]" if sheet else source.name
    return LedgerFile(Path(where), name, table, header, findings.style, findings, source)


def query_of(profile: Profile) -> LedgerFile:
    """The result of the profile's query; raises UsageError if it has none, InputRefused if it cannot be read."""
    if profile.query is None:
        raise UsageError(f"no PATH is given, and [ledger.{profile.name}] has no query")
    table = open_query(profile)
    where = f"[ledger.{profile.name}]"
    header = replace(find_header([(1, table.names)], profile), row=0, names_its_columns=False)
    check_header(where, header, profile, named_by_amounts=False)
    return LedgerFile(Path(where), where, table, header, told(profile))
