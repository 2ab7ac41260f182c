"""Opens ledgers: finds the files in folders and archives, and checks every header before any row is read."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from tempfile import gettempdir

from reconcile.core.errors import DISK_FULL, InputRefused, UnfinishedFile, UsageError
from reconcile.core.writing import unwritten
from reconcile.ledger.archive import SourceFile, unpack
from reconcile.ledger.columns import agreed, profile_style, scan_columns
from reconcile.ledger.file import LedgerFile, Streamed
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.formats.detect import is_archive, open_tables
from reconcile.ledger.formats.query import open_query
from reconcile.ledger.formats.workbook import SheetTable
from reconcile.ledger.header import check_header, find_header
from reconcile.ledger.journal_file import is_journal, journal_profile
from reconcile.ledger.profile import REQUIRED, Profile

_UNFINISHED_ENDINGS = (".part", ".partial", ".filepart", ".tmp", ".crdownload", ".download")
_PASSED_OVER_NAMES = ("thumbs.db", "desktop.ini")


def open_ledgers(
    paths: Iterable[Path], profile: Profile, unfinished: list[UnfinishedFile] | None = None
) -> list[LedgerFile]:
    """Open all ledgers of these files and folders; the files of a folder are sorted by name.

    Checks the headers and finds out how dates and amounts are written. Without any path, opens the profile's query.
    Files that somebody still writes are added to `unfinished`; without that list, the first one raises UnfinishedFile.
    Raises UsageError if a file does not exist, InputRefused if one is not a ledger: it is empty, no table, lacks a
    required column, or more than half of its rows could only be guessed.
    """
    paths = list(paths)
    if not paths:
        return [open_query_ledger(profile)]
    found: list[LedgerFile] = []
    for source in (source for path in paths for file in _in_folder(path) for source in files_in(file)):
        try:
            found.append(open_source(source, profile))
        except UnfinishedFile as error:
            if unfinished is None:
                raise
            unfinished.append(error)
            continue
        for sheet in found[-1].sheets if len(found) > 1 else ():
            if isinstance(sheet.table, SheetTable):
                sheet.table.release()  # the memory cannot hold many workbooks at once
    return found


def is_unfinished(name: str) -> bool:
    """Whether a file, by its name, is hidden, a lock file (`~$x.xlsx`), or still being written."""
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
        raise InputRefused(f"{path}: is a folder without any file")
    return files


def files_in(path: Path) -> list[SourceFile]:
    """The file, or all files in it if it is an archive. Raises UsageError if the file cannot be read."""
    mode = _mode(path)
    if S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder; name one file")
    if not S_ISREG(mode):
        raise UsageError(f"{path}: is not a file")
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    try:
        if not is_archive(path):
            return [SourceFile(path, str(path), name)]
        return unpack(path, name)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise unwritten(f"{path}: cannot be unpacked into {gettempdir()}", error) from None
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f"{path}: no ledger there: {getattr(error, 'strerror', None) or error}") from None


def open_source(source: SourceFile, profile: Profile) -> LedgerFile:
    """One file, with the checks of `open_ledgers`."""
    where = source.where
    tables = open_tables(source.path, where, profile)
    for table, header, _ in tables:
        if is_journal(header):
            profile = journal_profile(profile, table, header)
            tables = open_tables(source.path, where, profile)
            break
    found = []
    for table, header, sheet in tables:
        if header.row == 0:
            raise InputRefused(f"{where}: is empty; a ledger needs a header row with {', '.join(REQUIRED)}")
        scan = scan_columns(table, header, profile)
        notes = table.notes() if isinstance(table, DelimitedTable) else []
        check_header(where, header, profile, named_by_amounts=bool(scan.currencies), notes=notes)
        found.append((table, header, sheet, scan))
    all_findings = agreed([scan for *_, scan in found], profile)
    for scan in all_findings:
        if scan.refused is not None:
            raise InputRefused(f"{where}: {scan.refused}")
    return sheets_as_one(
        [
            LedgerFile(
                Path(where),
                f"{source.name} [{sheet}]" if sheet else source.name,
                table,
                header,
                scan.style,
                scan,
                source,
                profile,
            )
            for (table, header, sheet, _), scan in zip(found, all_findings, strict=True)
        ]
    )


def sheets_as_one(sheets: Sequence[LedgerFile]) -> LedgerFile:
    """Several sheets of a workbook as one ledger, whose rows are checked and taken in together."""
    first = sheets[0]
    more = tuple(replace(sheet, leads=False, numbers=first.numbers) for sheet in sheets[1:])
    return replace(first, more=more) if more else first


def open_query_ledger(profile: Profile) -> LedgerFile:
    """The result of the profile's query. Raises UsageError if it has none, InputRefused if it cannot be read."""
    if profile.query is None:
        raise UsageError(f"no PATH is given, and [ledger.{profile.name}] has no query")
    table = open_query(profile)
    where = f"[ledger.{profile.name}]"
    header = replace(find_header([(1, table.names)], profile), row=0, names_its_columns=False)
    check_header(where, header, profile, named_by_amounts=False)
    return LedgerFile(
        Path(where), where, table, header, profile_style(profile), profile=profile, streamed=Streamed()
    )
