"""A ledger as raw rows, each with its place.

A ledger is a CSV file, a workbook, a Parquet file, one of these compressed, or the result of a query. Its columns get
their standard names here. `reconcile.normalise.entries` types the values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from reconcile.core.records import Place, RawRow
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.blocks import Block, in_blocks
from reconcile.ledger.columns import ColumnScan, Style
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.header import Header, text_of
from reconcile.ledger.profile import COLUMNS, IN, OUT
from reconcile.ledger.table import BrokenRecord, Cell, Record, Table, UnreadableCell, number_text

BROKEN = ""
"""The key in `RawRow.values` for the reason why a row cannot be cut into cells; its text is then under `line`.
No column has this name: a column without a header is called `column 3`."""

_KEYS = frozenset(COLUMNS) - {"amount", "date", "status", "description"}
_AMOUNTS = frozenset({"amount", IN, OUT})
_READ = frozenset({*COLUMNS, IN, OUT})


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger with a valid header. Its rows can be read any number of times."""

    path: Path
    name: str
    """The name that the quarantine shows: the base name, with the sheet if there are several, and with the file
    inside an archive."""
    table: Table
    header: Header
    style: Style
    """How dates and amounts are written, by the profile or as the rows prove."""
    scan: ColumnScan | None = None
    """The pass over all rows; None for a query, which is read only once."""
    source: SourceFile | None = None
    """The file; holds the temporary folder of an archive as long as it is needed."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the (unpacked) file, in hexadecimal digits; of a query only after its rows were read."""
        return self.table.sha256

    @property
    def columns(self) -> tuple[str, ...]:
        """The name of each column: the standard name if it has one, else the header as written."""
        return self.header.names

    def rows(self) -> Iterator[RawRow]:
        """Every row below the header that is not blank, one at a time.

        A value is a text, or a number or date where the source has such. A row that cannot be cut into cells (too
        many or too few of them, unbalanced quotes) has the reason under BROKEN, so that it is quarantined and not
        lost. Raises InputRefused if the file changed since it was opened.
        """
        for record in self.table.records():
            if (row := self.row(record)) is not None:
                yield row

    def parts(self) -> Iterator[Block | RawRow]:
        """The same rows; those of delimited text as blocks, where this is certain to be right."""
        if not isinstance(self.table, DelimitedTable):
            yield from self.rows()
            return
        for part in in_blocks(self.table, self.header, [name for name in self.columns if name in COLUMNS]):
            if isinstance(part, Block):
                yield part
            elif (row := self.row(part)) is not None:
                yield row

    def row(self, record: Record) -> RawRow | None:
        """One record as a row; None for the header, a record above it, and a blank one."""
        number, cells = record
        if number <= self.header.row:
            return None
        values = self._texts(cells) if isinstance(self.table, DelimitedTable) else self._values(cells)
        return None if values is None else RawRow(Place(self.name, number), values)

    def _texts(self, cells: Sequence[Cell] | BrokenRecord) -> dict[str, Cell] | None:
        """The values of a record of delimited text."""
        if isinstance(cells, BrokenRecord):
            return {BROKEN: cells.reason, "line": cells.line}
        line = "".join(cells)  # type: ignore[arg-type]  # all are texts here
        if not line or line.isspace():
            return None
        columns = self.header.names
        if len(cells) != len(columns):
            # Nobody can know which cell is missing or was cut in two, so none is read.
            reason = f"has {len(cells)} cells where the header has {len(columns)}"
            return {
                BROKEN: f"{reason}: put cells that hold the delimiter in quotes",
                "line": self._line(cells),
            }
        if ("\n" in line or "\r" in line) and self._holds_another_row(cells):
            # Two stray quotes, each at the edge of a cell, make one cell of all text between them.
            reason = "holds what looks like another row inside quotes: check its quotation marks"
            return {BROKEN: reason, "line": self._line(cells)}
        if cells[0] == self.header.cells[0] and self._is_header(cells):
            return {BROKEN: "repeats the header", "line": self._line(cells)}
        return dict(zip(columns, cells, strict=True))

    def _values(self, cells: Sequence[Cell] | BrokenRecord) -> dict[str, Cell] | None:
        """The values of a record of a source with numbers and dates."""
        assert not isinstance(cells, BrokenRecord), "only delimited text has broken records"
        if _blank(cells[0]) and all(map(_blank, cells)):
            return None
        if cells[0] == self.header.cells[0] and self._is_header(cells):
            return {BROKEN: "repeats the header", "line": self._line(cells)}
        values = dict(zip(self.header.names, cells, strict=True))
        for name, cell in values.items():
            if type(cell) is not str:
                values[name] = _usable_cell(name, cell)
        return values

    def _is_header(self, cells: Sequence[Cell]) -> bool:
        return self.header.row > 0 and tuple(text_of(cell).strip() for cell in cells) == self.header.cells

    def _line(self, cells: Sequence[Cell]) -> str:
        delimiter = self.table.delimiter if isinstance(self.table, DelimitedTable) else ";"
        return delimiter.join(map(text_of, cells))

    def _holds_another_row(self, cells: Sequence[Cell]) -> bool:
        """Whether a line inside a cell looks like the beginning of another row, up to that cell's column."""
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
    text = cell if isinstance(cell, str) else cell.shown if isinstance(cell, UnreadableCell) else "a value"
    return not text or text.isspace()


def _usable_cell(name: str, cell: Cell) -> Cell:
    """A cell that is a number or date, as its column needs it; unreadable if the column cannot use it."""
    if name not in _READ:
        return number_text(cell) if isinstance(cell, Decimal) else text_of(cell)
    if isinstance(cell, UnreadableCell) or (name in _AMOUNTS and isinstance(cell, Decimal)):
        return cell
    if isinstance(cell, Decimal):
        if name == "date":
            return UnreadableCell(number_text(cell), "is a number: format the column as a date")
        return number_text(cell)
    if name == "date":
        return cell
    if name in _AMOUNTS:
        return UnreadableCell(text_of(cell), "is a date: format the column as a number")
    if name in _KEYS:
        return UnreadableCell(
            text_of(cell),
            "is a date, which a spreadsheet may have made of a text such as MAR1: format the column as text",
        )
    return text_of(cell)
