"""XLSX workbooks: the sheets of a file as records of cells.

calamine reads them. It gives a blank for a cell with an error and for a formula without a stored result, it allocates
every cell between the first and the last, and it trusts the sizes in the zip file. So this module scans the parts of
the file first (ECMA-376, part 1, chapter 18): it notes unreadable cells, and refuses what would exhaust the memory.
"""

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from errno import EINVAL
from pathlib import Path
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, load_workbook

from reconcile.core.errors import InputRefused
from reconcile.ledger.archive import check_size
from reconcile.ledger.formats.number_formats import NumberFormat, number_format
from reconcile.ledger.formats.stamp import Stamp, check_unchanged, stamp_of
from reconcile.ledger.table import MERGED, Cell, Formatted, Record, Spanned, UnreadableCell, exact

MAX_CELLS = 2**25
"""Cells of a sheet from the first to the last, blank ones too: calamine takes 32 bytes for each."""

MAX_MERGED = 2**20
"""Cells of a sheet that merged cells may cover."""

_MOST_ROWS = 2**20  # of any sheet
_BLOCK = 2**22
_MAX_ROW = 2**25
_MAX_LIST = 2**22
"""Bytes of the part that lists the sheets, at most."""

_WIDE = re.compile(rb' r="([A-Z]{2,3})\d')
"""Columns from AA on, as nearly every program writes them; much faster than `_ANY_WIDE`."""
_ANY_WIDE = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]{2,3})\d""")
_PLACES = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]{1,3})(\d{1,7})\s*["']""")
_ERROR = re.compile(rb"""\bt\s*=\s*["']e["']""")
_NO_RESULT = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)\s*"
    rb"(?:<(?:\w+:)?v>\s*</(?:\w+:)?v>|<(?:\w+:)?v\s*/>)?\s*</(?:\w+:)?c>"
)
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]{1,40})<")
_CELL = re.compile(rb"<(?:\w+:)?c\s[^>]*>")
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*>")
_HIDDEN = re.compile(rb"""\shidden\s*=\s*["'](?:1|true)["']""")
_ROW_NUMBER = re.compile(rb"""\sr\s*=\s*["']\s*(\d{1,7})""")
_TEXT_RESULT = re.compile(rb"""\bt=["']str["']""")

_NO_FORMULA = UnreadableCell(
    "", "holds a formula without its result: open the workbook in a spreadsheet, and save it"
)
_SPANNED = UnreadableCell("", "is covered by merged cells of its column")
"""Stands for the value of the cell above, which is filled in where the rows are read."""

Faults = Mapping[int, Sequence[tuple[int, UnreadableCell]]]
"""By row, the columns of cells that must not be used, and why; both counted from 1."""


@dataclass(slots=True)
class _Look:
    """What the XML of one sheet tells that calamine does not."""

    faults: dict[int, list[tuple[int, UnreadableCell]]] = field(default_factory=dict)
    styles: dict[int, dict[int, int]] = field(default_factory=dict)
    """By row, the columns of cells whose number format tells something, and the format's number."""
    hidden: set[int] = field(default_factory=set)
    """Rows that are hidden."""
    last: int = 0
    """The number of the last row so far."""
    state: str = "visible"
    """Of the sheet itself."""


@dataclass(slots=True)
class SheetTable:
    """One sheet of a workbook. Its cells stay in memory until it is released."""

    path: Path
    where: str
    """The file as error messages name it."""
    name: str
    """The name of the sheet."""
    sheet: CalamineSheet | None
    faults: Faults
    sha256: str
    stamp: Stamp
    seen: _Look = field(default_factory=_Look)
    formats: Mapping[int, NumberFormat] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The format and the name of the sheet."""
        return f"XLSX, sheet {self.name!r}"

    def notes(self, header_row: int) -> list[str]:
        """What a person would not see who opens the sheet, each in a sentence."""
        found = []
        if self.seen.state != "visible":
            found.append("the sheet is hidden; it is read")
        below = sum(row > header_row for row in self.seen.hidden)
        if below:
            rows = "1 row is" if below == 1 else f"{below:,} rows are"
            found.append(
                f"{rows} hidden (by a filter, a group or by hand); hidden rows are read like all others"
            )
        return found

    def release(self) -> None:
        """Free the memory; from then on `records` reads the file again each time."""
        self.sheet = None

    def records(self) -> Iterator[Record]:
        """All rows from the first of the sheet to the last that is not blank, all of the same width."""
        sheet = self.sheet or self._reloaded()
        start = sheet.start
        if start is None:
            return
        first_column = start[1] + 1
        faults = self.faults
        styles = self.seen.styles
        above: list[Cell] = []
        # calamine leaves out the blank columns before the first cell, but not the blank rows.
        for number, cells in enumerate(sheet.iter_rows(), 1):
            row = [cell if type(cell) is str else _cell(cell) for cell in cells]
            if number in styles:
                for column, style in styles[number].items():
                    place = column - first_column
                    if 0 <= place < len(row) and isinstance(value := row[place], Decimal):
                        row[place] = self.formats[style].cell(value)
            if number in faults:
                for column, fault in faults[number]:
                    place = column - first_column
                    if 0 <= place < len(row):
                        row[place] = _spanned(above[place : place + 1]) if fault is _SPANNED else fault
            yield number, row
            above = row
        check_unchanged(self.path, self.stamp, self.where)

    def _reloaded(self) -> CalamineSheet:
        check_unchanged(self.path, self.stamp, self.where)
        with _refusing(self.where), self.path.open("rb") as file, load_workbook(file) as book:
            return book.get_sheet_by_name(self.name)


def open_workbook(path: Path, where: str) -> list[SheetTable]:
    """The sheets of a workbook. Raises InputRefused if it is damaged, locked or far too large."""
    with _refusing(where), path.open("rb") as file:
        stamp = stamp_of(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(file) as archive:
            formats = _formats(archive)
            looks = _look(archive, where, os.fstat(file.fileno()).st_size, formats)
        file.seek(0)
        with load_workbook(file) as book:
            tables = []
            for name in _worksheets(book):
                sheet, seen = book.get_sheet_by_name(name), looks.get(name, _Look())
                faults = _with_merged(where, sheet, seen.faults)
                tables.append(SheetTable(path, where, name, sheet, faults, sha256, stamp, seen, formats))
            return tables


def _spanned(above: Sequence[Cell]) -> Cell:
    """A cell that merged cells of its column cover: the value of the one above. A number counts once."""
    value = above[0] if above else ""
    if isinstance(value, Decimal | Formatted):
        return MERGED
    return Spanned(value) if isinstance(value, str) and value else value


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is an XLSX workbook."""
    names = [name.replace("\\", "/") for name in archive.namelist()]
    return "[Content_Types].xml" in names and "xl/workbook.xml" in names


def is_binary_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is an XLSB workbook, which is not read."""
    return "xl/workbook.bin" in [name.replace("\\", "/") for name in archive.namelist()]


def _formats(archive: zipfile.ZipFile) -> dict[int, NumberFormat]:
    """The number formats that show more than the number, by the number of the cells' style (`s`)."""
    parts = {part.filename.replace("\\", "/"): part.filename for part in archive.infolist()}
    if "xl/styles.xml" not in parts or archive.getinfo(parts["xl/styles.xml"]).file_size > _MAX_LIST:
        return {}
    codes: dict[str, NumberFormat | None] = {}
    found: dict[int, NumberFormat] = {}
    for element in _parsed(archive, parts["xl/styles.xml"]).iter():
        name = element.tag.rpartition("}")[2]
        if name == "numFmt":
            codes[element.get("numFmtId", "")] = number_format(element.get("formatCode", ""))
        elif name == "cellXfs":
            for style, cell_style in enumerate(element):
                if (known := codes.get(cell_style.get("numFmtId", ""))) is not None:
                    found[style] = known
    return found


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    refusal = (
        f"{where}: is an Excel workbook that is damaged or cut off; save it again, or save the sheet as CSV"
    )
    try:
        yield
    except (CalamineError, zipfile.BadZipFile, zlib.error, EOFError, ElementTree.ParseError) as error:
        raise InputRefused(f"{refusal} ({_first_line(error)})") from None
    except (NotImplementedError, RuntimeError):
        raise InputRefused(
            f"{where}: is locked with a password, or packed in a way that is not read"
        ) from None
    except OSError as error:
        if error.errno != EINVAL:  # a part would begin before the file does
            raise
        raise InputRefused(refusal) from None
    except (ValueError, KeyError, OverflowError) as error:
        raise InputRefused(f"{refusal} ({_first_line(error)})") from None
    except BaseException as error:
        # A panic of calamine (Rust) is a BaseException, not an Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise InputRefused(refusal) from None


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _worksheets(book: CalamineWorkbook) -> list[str]:
    return [sheet.name for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return exact(value)
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, date):
        return value
    if isinstance(value, time | timedelta):
        return UnreadableCell(str(value), "is a time without a day")
    return str(value)


def _look(
    archive: zipfile.ZipFile, where: str, packed: int, formats: Mapping[int, NumberFormat]
) -> dict[str, _Look]:
    """Unpack every part that calamine may read, once, and tell of each sheet, by its name, what it will not tell."""
    parts = [part for part in archive.infolist() if part.filename.lower().endswith((".xml", ".rels"))]
    if len({part.filename for part in parts}) < len(parts):
        raise InputRefused(f"{where}: is no workbook: it holds two parts of one name")
    check_size(Path(where), sum(part.file_size for part in parts), packed)
    names, states = _sheet_names(archive)
    looks: dict[str, _Look] = {}
    unpacked = 0
    styled = "|".join(map(str, formats)).encode()
    telling = re.compile(rb"""\bs\s*=\s*["'](""" + styled + rb""")["']""") if formats else None
    for part in parts:
        found = _Look(state=states.get(part.filename, "visible"))
        columns = 1
        for piece in _pieces(archive, part, where, rows=part.filename in names):
            unpacked += len(piece)
            check_size(Path(where), unpacked, packed)
            if part.filename in names:
                wide = _WIDE if _usual(piece) else _ANY_WIDE
                columns = max([columns, *(_number(letters) for letters in set(wide.findall(piece)))])
                _note_faults(where, piece, found.faults)
                _note_hidden(piece, found)
                if telling is not None:
                    _note_styles(where, piece, telling, found.styles)
        if columns * _MOST_ROWS > MAX_CELLS:
            _check_cells(archive, part, where)
        if part.filename in names:
            looks[names[part.filename]] = found
    return looks


def _pieces(archive: zipfile.ZipFile, part: zipfile.ZipInfo, where: str, *, rows: bool) -> Iterator[bytes]:
    """A part in pieces; the pieces of a sheet (`rows`) end at the end of a row."""
    rest = b""
    with archive.open(part) as content:
        while block := content.read(_BLOCK):
            rest += block
            end = rest.rfind(b"row>") + 4 if rows else len(rest)
            if end >= 4:
                yield rest[:end]
                rest = rest[end:]
            if len(rest) > _MAX_ROW:
                raise InputRefused(f"{where}: holds a row of more than {_MAX_ROW // 2**20} MiB")
    yield rest


def _check_cells(archive: zipfile.ZipFile, part: zipfile.ZipInfo, where: str) -> None:
    columns = rows = 1
    for piece in _pieces(archive, part, where, rows=True):
        for letters, digits in set(_PLACES.findall(piece)):
            columns, rows = max(columns, _number(letters)), max(rows, int(digits))
    if columns * rows > MAX_CELLS:
        raise InputRefused(
            f"{where}: a sheet reaches over {rows:,} rows and {columns:,} columns, blank ones between: "
            "delete the cells far from the table, or save the sheet as CSV"
        )


def _usual(piece: bytes) -> bool:
    """Whether every cell begins with its address, `<c r="A1"`, as nearly every program writes it."""
    return piece.count(b"<c") == piece.count(b'<c r="') and b":c" not in piece


def _note_faults(where: str, piece: bytes, found: dict[int, list[tuple[int, UnreadableCell]]]) -> None:
    # Searching for a literal is fast, and most sheets have neither errors nor formulas.
    errors = b'"e"' in piece or b"'e'" in piece
    formulas = b"<f" in piece or b":f" in piece
    for match in _ERROR.finditer(piece) if errors else ():
        start = piece.rfind(b"<", 0, match.start())
        value = _VALUE.search(piece, match.end(), match.end() + 10_000)
        shown = value[1].decode("utf-8", "replace") if value else "#?"
        fault = UnreadableCell(shown, "holds an error of a formula: correct it in the spreadsheet")
        _note(where, piece[start : piece.find(b">", match.end())], fault, found)
    for match in _NO_RESULT.finditer(piece) if formulas else ():
        start = max(piece.rfind(b"<c ", 0, match.start()), piece.rfind(b":c ", 0, match.start()))
        tag = piece[start : piece.find(b">", start)]
        if not _TEXT_RESULT.search(tag):
            _note(where, tag, _NO_FORMULA, found)


def _note(
    where: str, tag: bytes, fault: UnreadableCell, found: dict[int, list[tuple[int, UnreadableCell]]]
) -> None:
    place = _PLACES.search(tag)
    if place is None:
        raise InputRefused(f"{where}: holds formulas in cells without an address; save it as CSV")
    found.setdefault(int(place[2]), []).append((_number(place[1]), fault))


def _note_styles(
    where: str, piece: bytes, telling: re.Pattern[bytes], found: dict[int, dict[int, int]]
) -> None:
    for tag in _CELL.finditer(piece):
        style = telling.search(tag[0])
        place = _PLACES.search(tag[0]) if style else None
        if style and place is None:  # else a side that the format shows would be lost
            raise InputRefused(
                f"{where}: holds cells without an address, and their number format shows a side or more; save it as CSV"
            )
        if style and place:
            found.setdefault(int(place[2]), {})[_number(place[1])] = int(style[1])


def _note_hidden(piece: bytes, found: _Look) -> None:
    """Note the hidden rows of a piece. A row without a number follows the one above it."""
    first = _ROW.search(piece)
    if first is None:
        return
    if b"hidden" not in piece and _ROW_NUMBER.search(first[0]):
        # Nearly every piece: only the number of its last row matters.
        last = piece[max(piece.rfind(b"<row "), piece.rfind(b":row ")) :]
        if number := _ROW_NUMBER.search(last[: last.find(b">")]):
            found.last = int(number[1])
            return
    for tag in _ROW.finditer(piece):
        number = _ROW_NUMBER.search(tag[0])
        found.last = int(number[1]) if number else found.last + 1
        if _HIDDEN.search(tag[0]):
            found.hidden.add(found.last)


def _number(letters: bytes) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _sheet_names(archive: zipfile.ZipFile) -> tuple[dict[str, str], dict[str, str]]:
    """By the part that holds it, the name of each sheet; and its state where it is hidden."""
    parts = {part.filename.replace("\\", "/"): part.filename for part in archive.infolist()}
    book, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    targets: dict[str, str] = {}
    for link in _parsed(archive, parts.get(links, links)).iter():
        target = link.get("Target", "").replace("\\", "/")
        targets[link.get("Id", "")] = target[1:] if target.startswith("/") else f"xl/{target}"
    names: dict[str, str] = {}
    states: dict[str, str] = {}
    for sheet in _parsed(archive, parts.get(book, book)).iter():
        if sheet.tag.rpartition("}")[2] == "sheet":
            link_id = next((value for key, value in sheet.items() if key.rpartition("}")[2] == "id"), "")
            target = targets.get(link_id, "")
            part = parts.get(target, target)
            names[part] = sheet.get("name", "")
            states[part] = sheet.get("state", "visible")
    return names, states


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with archive.open(name) as part:
        content = part.read(_MAX_LIST + 1)
    if len(content) > _MAX_LIST:
        raise ValueError(f"{name} is too long")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError(f"{name} defines entities")
    return ElementTree.fromstring(content)  # noqa: S314 - no entities, and no more than 4 MiB


def _with_merged(where: str, sheet: CalamineSheet, faults: Faults) -> Faults:
    """The faults of a sheet, with the cells that merged cells cover: they look blank and are not."""
    ranges = sheet.merged_cell_ranges or []
    if sheet.start is None or sheet.end is None or not ranges:
        return faults
    found = {row: list(cells) for row, cells in faults.items()}
    covered = 0
    for (top, left), (bottom, right) in ranges:
        bottom, right = min(bottom, sheet.end[0]), min(right, sheet.end[1])
        covered += max(0, bottom - top + 1) * max(0, right - left + 1)
        if covered > MAX_MERGED:
            raise InputRefused(f"{where}: has too many merged cells; part them, or save the sheet as CSV")
        mark = _SPANNED if left == right else MERGED
        for row in range(top, bottom + 1):
            cells = found.setdefault(row + 1, [])
            cells += [(column + 1, mark) for column in range(left, right + 1) if (row, column) != (top, left)]
    return found
