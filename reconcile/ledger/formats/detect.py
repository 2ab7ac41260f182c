"""Detects the format of a ledger file from its content, never from its name."""

import codecs
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from reconcile.core.errors import InputRefused, UsageError
from reconcile.ledger.formats.delimited import DELIMITERS, DelimitedTable, NotTextError, survey
from reconcile.ledger.formats.parquet import open_parquet
from reconcile.ledger.formats.workbook import SheetTable, is_workbook, open_workbook
from reconcile.ledger.header import Header, find_header, first_rows, lacking
from reconcile.ledger.profile import Profile
from reconcile.ledger.table import Table

_ZIP, _COMPOUND, _GZIP, _PARQUET, _PDF = b"PK", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1", b"%PDF"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream that holds a workbook with a password ([MS-OFFCRYPTO] 2.3.4.4)."""

_COMPOUND_LOOK = 2**20

Found = tuple[Table, Header, str]
"""A table, its header, and the name of its sheet ("" if the file has only one)."""


def is_archive(path: Path) -> bool:
    """Whether a file must be unpacked first. Raises OSError if it cannot be read."""
    with path.open("rb") as file:
        head_bytes = file.read(4)
        if head_bytes.startswith(_GZIP):
            return True
        if not head_bytes.startswith(_ZIP):
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
                return (
                    not is_workbook(archive)
                    and "mimetype" not in names
                    and "[Content_Types].xml" not in names
                )
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
            return False


def candidates(path: Path, where: str) -> list[Table]:
    """The tables that a file may be: text with each delimiter, or each sheet of a workbook.

    `where` is the file as error messages name it. Raises UsageError if it cannot be read, InputRefused if it is no
    table.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4096)
        if start.startswith(_COMPOUND):
            raise InputRefused(f"{where}: {_compound(path)}")
        if start.startswith(_PDF):
            raise InputRefused(f"{where}: is a PDF; export the ledger as CSV or XLSX")
        if start.startswith(_GZIP):
            raise InputRefused(f"{where}: is compressed twice; unpack it first")
        if _is_html(start):
            raise InputRefused(
                f"{where}: is HTML, whatever its name says; open it in a spreadsheet and save it as XLSX or CSV"
            )
        if start.startswith(_ZIP):
            return [*_sheets(path, where)]
        if start.startswith(_PARQUET):
            return [open_parquet(path, where)]
        text = survey(path)
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror or error}") from None
    except NotTextError as error:
        raise InputRefused(f"{where}: {error}: not a table; save it as CSV (UTF-8)") from None
    return [DelimitedTable(path, text, delimiter, binary=b"\0" in start) for delimiter in DELIMITERS]


def open_table(path: Path, where: str, profile: Profile) -> Found:
    """The table of a file with its header, as far as one was found. Raises like `candidates`."""
    tables = candidates(path, where)
    if all(isinstance(table, SheetTable) for table in tables):
        return _sheet([table for table in tables if isinstance(table, SheetTable)], where, profile)
    # Best is the delimiter with most known header names, then the one that cuts most rows into equally many cells.
    found: list[tuple[int, int, int, Table, Header]] = []
    for table in tables:
        rows = first_rows(table.records())
        header = find_header(rows, profile)
        found.append(
            (header.matched, _alike(Counter(len(cells) for _, cells in rows)), -len(found), table, header)
        )
    *_, table, header = max(found, key=lambda one: one[:3])
    if isinstance(table, DelimitedTable) and table.binary and not _names_a_ledger(header, profile):
        raise InputRefused(f"{where}: is binary data, not a table; save it as CSV (UTF-8)")
    return table, header, ""


def _is_html(start: bytes) -> bool:
    """Whether a file is HTML: some programs export "Excel" files that are."""
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    words = start.decode("utf-16" if wide else "utf-8", "ignore").lstrip("\ufeff \t\r\n").lower()
    return words.startswith(("<html", "<table", "<!doctype")) or (
        words.startswith("<?xml") and "<html" in words
    )


def _compound(path: Path) -> str:
    with path.open("rb") as file:
        locked = _LOCKED in file.read(_COMPOUND_LOOK)
        file.seek(max(0, path.stat().st_size - _COMPOUND_LOOK))
        locked = locked or _LOCKED in file.read()
    if locked:
        return "is an Excel workbook with a password; save it without one"
    return "is an Excel workbook of an old kind (.xls); save it as .xlsx, or save the sheet as CSV"


def _sheets(path: Path, where: str) -> list[SheetTable]:
    try:
        with zipfile.ZipFile(path) as archive:
            workbook = is_workbook(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        raise InputRefused(
            f"{where}: is an Excel workbook or a zip file, cut off or damaged; save it again, or save the sheet as CSV"
        ) from None
    if not workbook:
        raise InputRefused(
            f"{where}: is a document or an archive of another kind; save the sheet as XLSX or CSV"
        )
    return open_workbook(path, where)


def _sheet(sheets: list[SheetTable], where: str, profile: Profile) -> Found:
    """The sheet that the profile names, else the only one with a ledger's header."""
    names = [table.name for table in sheets]
    if not sheets:
        raise InputRefused(f"{where}: holds no sheet of cells")
    if profile.sheet is not None:
        if profile.sheet not in names:
            raise InputRefused(f"{where}: has no sheet {profile.sheet!r}; it has {_listed(names)}")
        sheets = [sheets[names.index(profile.sheet)]]
    found = [(table, find_header(first_rows(table.records()), profile)) for table in sheets]
    good = [pair for pair in found if _names_a_ledger(pair[1], profile)]
    if len(good) > 1:
        several = _listed([table.name for table, _ in good])
        raise InputRefused(
            f"{where}: the sheets {several} have the header; give the ledger's profile a sheet"
        )
    table, header = good[0] if good else max(found, key=lambda pair: pair[1].matched)
    return table, header, table.name if len(names) > 1 else ""


def _names_a_ledger(header: Header, profile: Profile) -> bool:
    return not lacking(header, profile)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")


def _alike(widths: Mapping[int, int]) -> int:
    return max(((width - 1) * rows for width, rows in widths.items()), default=0)
