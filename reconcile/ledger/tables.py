"""Which kind of table a file is, told by its content and never by its name."""

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from reconcile.errors import InputRefused, UsageError
from reconcile.ledger.cells import Table
from reconcile.ledger.delimited import DELIMITERS, DelimitedTable, NotTextError, survey
from reconcile.ledger.header import Header, find_header, head
from reconcile.ledger.parquet import open_parquet
from reconcile.ledger.profile import REQUIRED, Profile
from reconcile.ledger.workbook import SheetTable, is_workbook, open_workbook

_ZIP, _COMPOUND, _GZIP, _PARQUET, _PDF = b"PK", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"PAR1", b"%PDF"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream in which a workbook with a password lies ([MS-OFFCRYPTO] 2.3.4.4)."""

_COMPOUND_LOOK = 2**20

Found = tuple[Table, Header, str]
"""A table, its header, and the name of its sheet where there are several."""


def is_archive(path: Path) -> bool:
    """Whether a file is to be unpacked first; raises OSError."""
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


def open_table(path: Path, where: str, profile: Profile) -> Found:
    """The table that a file holds, and its header as far as one was found.

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
        if start.startswith(_ZIP):
            return _sheet(_sheets(path, where), where, profile)
        if start.startswith(_PARQUET):
            table = open_parquet(path, where)
            return table, find_header(head(table.records()), profile), ""
        return _delimited(path, where, profile, binary=b"\0" in start)
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror or error}") from None


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
    """The sheet that the profile names, else the only one that has the header."""
    names = [table.sheet.name for table in sheets]
    if not sheets:
        raise InputRefused(f"{where}: holds no sheet of cells")
    if profile.sheet is not None:
        if profile.sheet not in names:
            raise InputRefused(f"{where}: has no sheet {profile.sheet!r}; it has {_listed(names)}")
        sheets = [sheets[names.index(profile.sheet)]]
    found = [(table, find_header(head(table.records()), profile)) for table in sheets]
    good = [pair for pair in found if _names_a_ledger(pair[1], profile)]
    if len(good) > 1:
        several = _listed([table.sheet.name for table, _ in good])
        raise InputRefused(
            f"{where}: the sheets {several} have the header; give the ledger's profile a sheet"
        )
    table, header = good[0] if good else max(found, key=lambda pair: pair[1].matched)
    return table, header, table.sheet.name if len(names) > 1 else ""


def _names_a_ledger(header: Header, profile: Profile) -> bool:
    needed = {name for name in REQUIRED if name != "amount"} | set(profile.columns)
    return needed <= set(header.names)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")


def _delimited(path: Path, where: str, profile: Profile, *, binary: bool) -> Found:
    try:
        text = survey(path)
    except NotTextError as error:
        raise InputRefused(f"{where}: {error}: not a table; save it as CSV (UTF-8)") from None
    # The delimiter is the one by which the header makes most sense, then the one that cuts most rows alike.
    candidates: dict[str, tuple[Header, int]] = {}
    for delimiter in DELIMITERS:
        rows = head(DelimitedTable(path, text, delimiter).records())
        candidates[delimiter] = find_header(rows, profile), _alike(Counter(len(cells) for _, cells in rows))
    delimiter = max(candidates, key=lambda one: (candidates[one][0].matched, candidates[one][1]))
    header = candidates[delimiter][0]
    if binary and not _names_a_ledger(header, profile):
        raise InputRefused(f"{where}: is binary data, not a table; save it as CSV (UTF-8)")
    return DelimitedTable(path, text, delimiter), header, ""


def _alike(widths: Mapping[int, int]) -> int:
    return max(((width - 1) * rows for width, rows in widths.items()), default=0)
