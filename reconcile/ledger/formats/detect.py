"""Detects the format of a ledger file from its content, never from its name."""

import codecs
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from reconcile.core.errors import InputRefused, UsageError
from reconcile.ledger.formats.delimited import DELIMITERS, DelimitedTable, NotTextError, survey
from reconcile.ledger.formats.parquet import open_parquet
from reconcile.ledger.formats.workbook import SheetTable, is_binary_workbook, is_workbook, open_workbook
from reconcile.ledger.header import Header, find_header, first_rows, lacking
from reconcile.ledger.profile import EVERY_SHEET, Profile
from reconcile.ledger.table import Table

_ZIP, _COMPOUND, _GZIP, _PARQUET, _PDF = b"PK", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1", b"%PDF"
_TAR, _TAR_AT = b"ustar", 257
_PACKED = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"), (b"Rar!", "a RAR archive"), (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"), (b"\x28\xb5\x2f\xfd", "compressed with Zstandard"),
)  # fmt: skip
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream that holds a workbook with a password ([MS-OFFCRYPTO] 2.3.4.4)."""

_COMPOUND_LOOK = 2**20

Found = tuple[Table, Header, str]
"""A table, its header, and the name of its sheet ("" if the file has only one)."""

_IN_APOSTROPHES, _IN_QUOTES = (
    re.compile(rb"(?:^|[,;\t|\r\n]) *Q[^Q]*+(?:QQ[^Q]*+)*+Q *(?:[,;\t|\r\n]|$)".replace(b"Q", quote))
    for quote in (b"'", b'"')
)
"""A whole cell in apostrophes, in quotation marks."""


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
                    not (is_workbook(archive) or is_binary_workbook(archive))
                    and "mimetype" not in names
                    and "[Content_Types].xml" not in names
                )
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
            return False


def candidates(path: Path, where: str, encoding: str | None = None) -> list[Table]:
    """What a file may be read as: a text with each delimiter, a workbook by each sheet.

    `encoding` is that of a text where it is known.
    `where` is the file as errors name it. Raises UsageError if it cannot be read, InputRefused if it is no table.
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
        if start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
            raise InputRefused(f"{where}: is a tar archive; unpack it, and give the file, or pack it as .zip")
        for mark, name in _PACKED:
            if start.startswith(mark):
                raise InputRefused(f"{where}: is {name}; unpack it, and give the file")
        if (kind := other_kind(start)) is not None:
            raise InputRefused(f"{where}: {kind}")
        if start.startswith(_ZIP):
            return [*_sheets(path, where)]
        if start.startswith(_PARQUET):
            return [open_parquet(path, where)]
        text = survey(path, encoding)
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror or error}") from None
    except NotTextError as error:
        raise InputRefused(f"{where}: {error}: not a table; save it as CSV (UTF-8)") from None
    binary = b"\0" in start and not text.wide
    tables = [DelimitedTable(path, text, delimiter, binary) for delimiter in DELIMITERS]
    narrow = start.replace(b"\0", b"")
    # A few programs quote with apostrophes. None does with both.
    if _IN_APOSTROPHES.search(narrow) and not _IN_QUOTES.search(narrow):
        tables += [DelimitedTable(path, text, delimiter, binary, quote="'") for delimiter in DELIMITERS]
    return [*tables]


def open_tables(path: Path, where: str, profile: Profile) -> list[Found]:
    """The table that a file holds, and its header as far as one was found; of a workbook each sheet that the profile
    takes. Raises as `candidates` does."""
    tables = candidates(path, where, profile.encoding)
    if all(isinstance(table, SheetTable) for table in tables):
        return _sheets_of([table for table in tables if isinstance(table, SheetTable)], where, profile)
    # The delimiter is the one by which the header makes most sense, then the one that cuts most rows alike.
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
    return [(table, header, "")]


_OFX = "is an OFX file of a bank; download the statement as CSV or XLSX instead"
_MARKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), says)
    for pattern, says in (
        (
            r"(?:<\?xml.*?)?(?:<\?mso-application|<(?:\w+:)?workbook\b)",
            "is an XML spreadsheet of Excel 2003; open it in a spreadsheet and save it as XLSX or CSV",
        ),
        (r"<\?xml.*?<(?:\w+:)?OFX\b|OFXHEADER|<OFX>|<\?OFX", _OFX),
        (
            r"(?:<\?xml.*?)?<(?:\w+:)?Document\b[^>]*(?:camt\.|pain\.|iso:20022)",
            "is a CAMT statement of a bank (ISO 20022, XML); download it as CSV or XLSX instead",
        ),
        (
            r"<!doctype html|<(?:html|head|title|body|table|caption|thead|tbody|tr|t[dh]|style|meta|link|"
            r"script|div|span|p|center|font|h[1-6])\b|<\?xml.*?<html\b|<!--.*?<(?:html|table)\b",
            "is HTML, whatever its name says; open it in a spreadsheet and save it as XLSX or CSV",
        ),
        (
            r"MIME-Version:|Content-Type: *multipart/|From: *<?Saved by",
            "is a web page of one file (MHTML), whatever its name says; open it in a spreadsheet and save it as XLSX "
            "or CSV",
        ),
        (r"!(?:Type|Account|Option|Clear):?", "is a QIF file; export the entries as CSV or XLSX instead"),
        (
            r"(?:\{1:[^}]*\}.{0,400}?)?:20:[^\n]*\n.{0,400}?:(?:25|60F|61):",
            "is an MT940 statement of a bank (SWIFT); download it as CSV or XLSX instead",
        ),
        (r"(?:01,[^\n]*\n02,)", "is a BAI2 statement of a bank; download it as CSV or XLSX instead"),
        (
            r"(?:\{\s*(?:\"|\}|\n)|\[\s*[\[{\]])",
            "is JSON; export the entries as CSV, XLSX or Parquet (or read them with a profile's query)",
        ),
        (r"\{\\rtf", "is a text document (RTF); save the table as XLSX or CSV"),
        (r"<\?xml", "is XML; export the entries as CSV or XLSX instead"),
        (r"SQLite format 3\0", "is an SQLite database: read it with a profile's query and url"),
        (r"ID;P", "is a SYLK file; open it in a spreadsheet and save it as XLSX or CSV"),
    )
)
"""How files begin that are no tables which are read, and what to do."""


def other_kind(start: bytes) -> str | None:
    """What a file is that is no table which is read, and what to do; None where its beginning does not tell."""
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = start.decode("utf-16" if wide else "utf-8", "ignore").lstrip("\ufeff \t\r\n").replace("\r\n", "\n")
    return next((says for pattern, says in _MARKS if pattern.match(text)), None)


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
            workbook, binary = is_workbook(archive), is_binary_workbook(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError):
        raise InputRefused(
            f"{where}: is an Excel workbook or a zip file, cut off or damaged; save it again, or save the sheet as CSV"
        ) from None
    if binary:
        raise InputRefused(
            f"{where}: is a binary Excel workbook (.xlsb); save it as .xlsx, or the sheet as CSV"
        )
    if not workbook:
        kind = _document(path)
        raise InputRefused(f"{where}: is {kind}; save the sheet as XLSX or CSV")
    return open_workbook(path, where)


def _sheets_of(sheets: list[SheetTable], where: str, profile: Profile) -> list[Found]:
    """The sheets that the profile names, else the only one that has the header."""
    names = [table.name for table in sheets]
    if not sheets:
        raise InputRefused(f"{where}: holds no sheet of cells")
    every = profile.sheets == (EVERY_SHEET,) and EVERY_SHEET not in names
    if profile.sheets and not every:
        for name in profile.sheets:
            if name not in names:
                raise InputRefused(f"{where}: has no sheet {name!r}; it has {_listed(names)}")
        sheets = [sheets[names.index(name)] for name in profile.sheets]
    found = [(table, find_header(first_rows(table.records()), profile)) for table in sheets]
    good = [pair for pair in found if _names_a_ledger(pair[1], profile)]
    if len(profile.sheets) > 1:
        good = found
    elif len(good) > 1 and not every:
        several = _listed([table.name for table, _ in good])
        raise InputRefused(
            f"{where}: the sheets {several} have the header; give the ledger's profile a sheet, "
            'a list of them, or sheet = "*" for all'
        )
    good = good or [max(found, key=lambda pair: pair[1].matched)]
    return [(table, header, table.name if len(names) > 1 else "") for table, header in good]


def _document(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "mimetype" in names and b"opendocument" in archive.read("mimetype")[:200]:
            return "an OpenDocument file (.ods) or an archive of another kind"
        if any(name.endswith((".numbers", ".iwa")) for name in names):
            return "a Numbers document or an archive of another kind"
    return "a document or an archive of another kind"


def _names_a_ledger(header: Header, profile: Profile) -> bool:
    return not lacking(header, profile)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")


def _alike(widths: Mapping[int, int]) -> int:
    return max(((width - 1) * rows for width, rows in widths.items()), default=0)
