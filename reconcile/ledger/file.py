"""A ledger as raw rows, each with its place.

A ledger is a CSV file, a workbook, a Parquet file, one of these compressed, or the result of a query. Its columns get
their standard names here. `reconcile.normalise.entries` types the values.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from reconcile.core.records import Place, RawRow
from reconcile.ledger.amounts import clean
from reconcile.ledger.archive import SourceFile
from reconcile.ledger.blocks import Block, in_blocks
from reconcile.ledger.columns import ColumnScan, Style
from reconcile.ledger.cut_amounts import mark
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import Header, text_of
from reconcile.ledger.passed_over import Kind, Watch
from reconcile.ledger.profile import COLUMNS, IN, OUT, SIDE, Profile
from reconcile.ledger.table import (
    MERGED,
    BrokenRecord,
    Cell,
    Formatted,
    Record,
    Spanned,
    Table,
    UnreadableCell,
    number_text,
    tidy,
)
from reconcile.ledger.totals import Totals

BROKEN = ""
"""The key in `RawRow.values` for the reason why a row cannot be cut into cells; its text is then under `line`.
No column has this name: a column without a header is called `column 3`."""

_KEYS = frozenset(COLUMNS) - {"amount", "date", "status", "description"}
_AMOUNTS = frozenset({"amount", IN, OUT})
_READ = frozenset({*COLUMNS, IN, OUT, SIDE})


@dataclass(slots=True)
class Streamed:
    """The rows of a query that are no records: it is read once, so they are found while it is read."""

    watch: Watch | None = None
    totals: Totals | None = None
    rows: dict[int, Kind] = field(default_factory=dict)
    """By number."""

    def begin(self, header: Header, style: Style, profile: Profile) -> None:
        """Before the first row, each time that the query is read."""
        self.watch = Watch(header)
        self.totals = Totals(header, style.amounts, profile, profile.currency)
        self.rows = {}

    def passes(self, record: Record) -> bool:
        """Whether a row is passed over; takes it into account."""
        assert self.watch is not None
        assert self.totals is not None
        number, cells = record
        assert not isinstance(cells, BrokenRecord)  # a query's rows have all their cells
        kind = self.watch.see(number, cells)
        if self.totals.see(number, cells, kind, self.watch.totals.get(number)):
            kind = Kind.TOTAL
        if kind is not None:
            self.rows[number] = kind
        return kind is not None


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
    """Keeps what was unpacked for as long as it is needed."""
    profile: Profile = field(default_factory=lambda: Profile("default"))
    more: tuple["LedgerFile", ...] = ()
    """Further sheets of the workbook that belong to the same import."""
    leads: bool = True
    """False for one of `more`."""
    streamed: "Streamed | None" = None
    """Of a query: what was passed over when its rows were read last."""
    numbers: Counter[str] = field(default_factory=Counter)
    """How often each id that is made of several columns came so far, in all sheets of the import."""

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
        above: dict[str, Cell] = {}
        if self.leads:
            self.numbers.clear()
        if self.streamed is not None:
            self.streamed.begin(self.header, self.style, self.profile)
        held: RawRow | None = None  # until it is known whether its narration goes on
        for record in self.table.records():
            row = self.row(record)
            if row is None or (self.streamed is not None and self.streamed.passes(record)):
                if held is not None and self._kind(record[0]) is Kind.FURTHER:
                    held = self._going_on(held, record)
                continue
            if self._changes_rows and BROKEN not in row.values:
                row = RawRow(row.place, self._filled(dict(row.values), above))
            if held is not None:
                yield held
            held = row
            if self.profile.reference_pattern is None:
                yield row
                held = None
        if held is not None:
            yield held

    def _kind(self, number: int) -> Kind | None:
        """Why a row is passed over."""
        if self.streamed is not None:
            return self.streamed.rows.get(number)
        return None if self.scan is None else self.scan.passed.rows.get(number)

    def _going_on(self, row: RawRow, record: Record) -> RawRow:
        """A row with the narration of the line below it, in which its reference may go on; a line with an id is an
        item of its own."""
        cells = self.header.fitted(record[1]) if not isinstance(record[1], BrokenRecord) else None
        if cells is None or BROKEN in row.values:
            return row
        more = dict(zip(self.columns, map(text_of, cells), strict=True))
        if tidy(more.get("ledger_id", "")):
            return row
        longer = {
            name: f"{text_of(row.values[name])}\n{more[name]}"
            for name in ("reference", "description")
            if tidy(more.get(name, ""))
        }
        return RawRow(row.place, {**row.values, **longer}) if longer else row

    def parts(self) -> Iterator[Block | RawRow]:
        """The same rows, those of delimited text by the block where that is certain to be right."""
        if not isinstance(self.table, DelimitedTable) or self._changes_rows:
            yield from self.rows()
            return
        wanted = [name for name in self.columns if name in COLUMNS]
        for part in in_blocks(self.table, self.header, wanted, self.scan.usual if self.scan else None):
            if isinstance(part, Block):
                if self.scan is not None and self.scan.cut:
                    mark(part, self.scan.cut)
                yield part
            elif (row := self.row(part)) is not None:
                yield row

    @property
    def sheets(self) -> tuple["LedgerFile", ...]:
        """Itself and the further sheets of its import."""
        return (self, *self.more)

    @property
    def passed_over(self) -> int:
        """Rows that are no records, in all sheets."""
        return len(self.passed_rows)

    @property
    def passed_rows(self) -> list[tuple[int, Kind]]:
        """These rows by number, and what each is. Of a query only after its rows were read."""
        found = [sheet.scan.passed.rows for sheet in self.sheets if sheet.scan is not None]
        if self.streamed is not None:
            found.append(self.streamed.rows)
        return [row for rows in found for row in rows.items()]

    def notes(self) -> list[str]:
        """What a person should know of the file though it can be read, each in a sentence."""
        found: list[str] = []
        if self.streamed is not None and self.streamed.totals is not None:
            found += [f"{self.name}: {says}" for says in self.streamed.totals.warnings]
        for sheet in self.sheets:
            if sheet.scan is not None:
                found += [
                    f"{sheet.name}: {says}" for says in (*sheet.scan.passed.warnings, *sheet.scan.notes())
                ]
            if isinstance(sheet.table, DelimitedTable):
                found += [f"{sheet.name}: {says}" for says in sheet.table.notes()]
            elif isinstance(sheet.table, SheetTable):
                found += [f"{sheet.name}: {says}" for says in sheet.table.notes(sheet.header.row)]
        return found

    @property
    def _changes_rows(self) -> bool:
        """Whether a row depends on those around it."""
        goes_on = self.profile.reference_pattern is not None and (
            self.scan is not None and Kind.FURTHER in self.scan.passed.rows.values()
        )
        return bool(self.profile.fill_down or self.header.id_places or goes_on)

    def _filled(self, values: dict[str, Cell], above: dict[str, Cell]) -> dict[str, Cell]:
        """A row with what the profile says is to be taken from the rows above or from several columns."""
        for name in self.profile.fill_down:
            cell = values.get(name, "")
            if isinstance(cell, str) and not tidy(cell):
                if name in above:
                    values[name] = above[name]
            else:
                above[name] = cell
        if self.header.id_places:
            words = [self._id_word(self.columns[place], values) for place in self.header.id_places]
            ledger_id = " ".join(filter(None, words))
            if ledger_id:
                self.numbers[ledger_id] += 1
                number = self.numbers[ledger_id]
                ledger_id = f"{ledger_id}#{number}" if number > 1 else ledger_id
            values["ledger_id"] = ledger_id
        return values

    def _id_word(self, name: str, values: dict[str, Cell]) -> str:
        """One column's part of an id: days and amounts in one writing, however a file writes them."""
        cell = values[name]
        if isinstance(cell, Decimal | Formatted):
            number = cell if isinstance(cell, Decimal) else cell.value
            return number_text(number.normalize()) if name in _AMOUNTS else str(cell)
        text = " ".join(tidy(text_of(cell)).split())
        try:
            if name == "date" and isinstance(cell, str):
                return str(self.style.dates.read(text)[0])
            if name in _AMOUNTS and text:
                found = self.style.amounts.read(
                    clean(text), self.profile.currencies.digits, self.profile.currency
                )
                return number_text(found.value.normalize())
        except ValueError:
            pass
        return text

    def row(self, record: Record) -> RawRow | None:
        """One record as a row; None for the header, what stands above it, a blank one, and one that is passed over."""
        number, cells = record
        if number <= self.header.row:
            return None
        if self.scan is not None and number in self.scan.passed.rows:
            return None
        if isinstance(cells, BrokenRecord):
            return RawRow(Place(self.name, number), {BROKEN: cells.reason, "line": cells.line})
        values = self._texts(number, cells) if isinstance(self.table, DelimitedTable) else self._values(cells)
        return None if values is None else RawRow(Place(self.name, number), values)

    def _texts(self, number: int, cells: Sequence[Cell]) -> dict[str, Cell] | None:
        """The values of a record of delimited text."""
        line = "".join(cells)  # type: ignore[arg-type]  # all are texts here
        if not line or line.isspace():
            return None
        columns = self.header.names
        if len(cells) != len(columns):
            fitted = self.header.fitted(cells)
            if fitted is None or (len(cells) < len(columns) and self._is_cut_off(number)):
                # Which cell is missing or was cut in two cannot be known, so none is read.
                reason = f"has {len(cells)} cells, but the header has {len(columns)}"
                advice = (
                    "the file may have been cut off"
                    if fitted
                    else "put cells that hold the delimiter in quotes"
                )
                return {BROKEN: f"{reason}: {advice}", "line": self._line(cells)}
            cells = fitted
        if self.scan is not None and number in self.scan.cut:
            reason = "has an amount that was cut in two at its comma: put amounts with a comma in quotes"
            return {BROKEN: reason, "line": self._line(cells)}
        if ("\n" in line or "\r" in line) and self._holds_another_row(cells):
            # Two stray quotes, each at the edge of a cell, make one cell of all text between them.
            reason = "holds what looks like another row inside quotes: check its quotation marks"
            return {BROKEN: reason, "line": self._line(cells)}
        return dict(zip(columns, cells, strict=True))

    def _is_cut_off(self, number: int) -> bool:
        """Whether a row is the only short one, and the last, and its line has no end."""
        assert isinstance(self.table, DelimitedTable)
        found = self.scan
        return found is not None and number == found.last and found.short == 1 and self.table.text.open_end

    def _values(self, cells: Sequence[Cell]) -> dict[str, Cell] | None:
        """The values of a record of a source with numbers and dates."""
        if _blank(cells[0]) and all(map(_blank, cells)):
            return None
        values = dict(zip(self.header.names, cells, strict=True))
        for name, cell in values.items():
            if type(cell) is not str:
                values[name] = _usable_cell(name, cell)
        return values

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
    """A cell that is no text, as its column can use it."""
    if isinstance(cell, Spanned):
        return MERGED if name in _AMOUNTS else str(cell)
    if isinstance(cell, Formatted):
        if name in _AMOUNTS:
            return cell
        if name == "date":
            cell = cell.value
        else:
            return cell.shown
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
