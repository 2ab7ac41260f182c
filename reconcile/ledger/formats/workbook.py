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
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from errno import EINVAL
from pathlib import Path
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, load_workbook

from reconcile.core.errors import InputRefused, UnfinishedFile
from reconcile.ledger.archive import check_size
from reconcile.ledger.table import Cell, Record, UnreadableCell, exact

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
_TEXT_RESULT = re.compile(rb"""\bt=["']str["']""")

_NO_FORMULA = UnreadableCell(
    "", "holds a formula without its result: open the workbook in a spreadsheet, and save it"
)
_MERGED = UnreadableCell("", "is covered by merged cells: part them, and fill in every row")

Faults = Mapping[int, Sequence[tuple[int, UnreadableCell]]]
"""By row, the columns of cells that must not be used, and why; both counted from 1."""


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
    modified_ns: int

    @property
    def kind(self) -> str:
        """The format and the name of the sheet."""
        return f"XLSX, sheet {self.name!r}"

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
        # calamine leaves out blank columns before the first cell, but not blank rows.
        for number, cells in enumerate(sheet.iter_rows(), 1):
            row = [cell if type(cell) is str else _cell(cell) for cell in cells]
            if number in faults:
                for column, fault in faults[number]:
                    if 0 <= column - first_column < len(row):
                        row[column - first_column] = fault
            yield number, row
        if self.path.stat().st_mtime_ns != self.modified_ns:
            raise UnfinishedFile(self.where)

    def _reloaded(self) -> CalamineSheet:
        with _refusing(self.where), self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_mtime_ns != self.modified_ns:
                raise UnfinishedFile(self.where)
            with load_workbook(file) as book:
                return book.get_sheet_by_name(self.name)


def open_workbook(path: Path, where: str) -> list[SheetTable]:
    """The sheets of a workbook. Raises InputRefused if it is damaged, locked or far too large."""
    with _refusing(where), path.open("rb") as file:
        modified_ns = os.fstat(file.fileno()).st_mtime_ns
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with zipfile.ZipFile(file) as archive:
            faults = _find_faults(archive, where, os.fstat(file.fileno()).st_size)
        file.seek(0)
        with load_workbook(file) as book:
            return [
                _table(path, where, book.get_sheet_by_name(name), faults.get(name, {}), sha256, modified_ns)
                for name in _worksheets(book)
            ]


def _table(
    path: Path, where: str, sheet: CalamineSheet, faults: Faults, sha256: str, modified_ns: int
) -> SheetTable:
    return SheetTable(path, where, sheet.name, sheet, _with_merged(where, sheet, faults), sha256, modified_ns)


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is an XLSX workbook."""
    names = archive.namelist()
    return "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)


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


def _find_faults(archive: zipfile.ZipFile, where: str, packed: int) -> dict[str, Faults]:
    """Unpack every part that calamine may read, once. Returns the faults by the name of the sheet."""
    parts = [part for part in archive.infolist() if part.filename.lower().endswith((".xml", ".rels"))]
    if len({part.filename for part in parts}) < len(parts):
        raise InputRefused(f"{where}: is no workbook: it holds two parts of one name")
    check_size(Path(where), sum(part.file_size for part in parts), packed)
    names = _sheet_names(archive)
    faults: dict[str, Faults] = {}
    unpacked = 0
    for part in parts:
        found: dict[int, list[tuple[int, UnreadableCell]]] = {}
        columns = 1
        for piece in _pieces(archive, part, where, rows=part.filename in names):
            unpacked += len(piece)
            check_size(Path(where), unpacked, packed)
            if part.filename in names:
                wide = _WIDE if _usual(piece) else _ANY_WIDE
                columns = max([columns, *(_number(letters) for letters in set(wide.findall(piece)))])
                _note_faults(where, piece, found)
        if columns * _MOST_ROWS > MAX_CELLS:
            _check_cells(archive, part, where)
        if part.filename in names:
            faults[names[part.filename]] = found
    return faults


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


def _number(letters: bytes) -> int:
    """The number of a column: A is 1, AA is 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """The names of the sheets, by the part that holds each."""
    book, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    targets: dict[str, str] = {}
    for link in _parsed(archive, links).iter():
        target = link.get("Target", "")
        targets[link.get("Id", "")] = target[1:] if target.startswith("/") else f"xl/{target}"
    names: dict[str, str] = {}
    for sheet in _parsed(archive, book).iter():
        if sheet.tag.rpartition("}")[2] == "sheet":
            link_id = next((value for key, value in sheet.items() if key.rpartition("}")[2] == "id"), "")
            names[targets.get(link_id, "")] = sheet.get("name", "")
    return names


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
        for row in range(top, bottom + 1):
            cells = found.setdefault(row + 1, [])
            cells += [
                (column + 1, _MERGED) for column in range(left, right + 1) if (row, column) != (top, left)
            ]
    return found
