"""Stage 1 of the merchant's side: a ledger file becomes raw rows, each with its place.

Nothing is renamed beyond the header and nothing is cast here: that is `reconcile.normalise`'s work.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from reconcile.errors import InputRefused, UsageError
from reconcile.ledger.delimited import DELIMITERS, Broken, NotTextError, Survey, records, survey
from reconcile.records import Place, RawRow

REQUIRED = ("ledger_id", "amount", "date")
OPTIONAL = (
    "reference",
    "currency",
    "status",
    "transaction_id",
    "provider_order_id",
    "provider_txn_id",
    "description",
    "app_id",
)
COLUMNS = (*REQUIRED, *OPTIONAL)
"""The standard column names; any other column is kept for people to see, and not read."""

BROKEN = ""
"""The key in `RawRow.values` of the reason why a row is no record; its text is then under `line`.
No column can have this name: a column without a header is called `column 3`."""

_FOREIGN: Mapping[bytes, str] = {
    b"PK\x03\x04": "is an Excel workbook (or a zip file); save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook, of an old kind or with a password; save the sheet as CSV",
    b"%PDF": "is a PDF; export the ledger as CSV",
    b"\x1f\x8b": "is compressed; unpack it first",
    b"PAR1": "is a Parquet file; export the ledger as CSV",
}


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A ledger whose header was found good; its rows are read when asked for, as often as wanted."""

    path: Path
    name: str
    """The base name, as the quarantine shows it."""
    sha256: str
    """Of the file's bytes, in hexadecimal digits."""
    columns: tuple[str, ...]
    """One name a cell: the standard name where it is one, else the header as written."""
    delimiter: str
    header_row: int
    """Blank rows above the header are passed over; else 1."""
    text: Survey

    def rows(self) -> Iterator[RawRow]:
        """Every row below the header that is not wholly blank, one at a time, in memory that stays flat.

        Every value is text. A row that is no record (too many or too few cells, quotes gone wrong)
        comes with the reason under BROKEN, so that it is quarantined and not lost.
        Raises InputRefused if the file is no longer the one that was opened.
        """
        try:
            for number, cells in _records(self.path, self.text, self.delimiter):
                if number > self.header_row and (values := self._values(cells)) is not None:
                    yield RawRow(Place(self.name, number), values)
            unchanged = self.path.stat().st_mtime_ns == self.text.modified_ns
        except (OSError, UnicodeDecodeError):
            unchanged = False
        if not unchanged:
            raise InputRefused(f"{self.path}: changed while it was read; import it when it is complete")

    def _values(self, cells: list[str] | Broken) -> dict[str, str] | None:
        if isinstance(cells, Broken):
            return {BROKEN: cells.reason, "line": cells.line}
        if not any(cells) or _blank(cells):
            return None
        if len(cells) != len(self.columns):
            # Which cell is missing or was cut in two cannot be known, so none is read.
            reason = f"has {len(cells)} cells where the header has {len(self.columns)}"
            line = self.delimiter.join(cells)
            return {BROKEN: f"{reason}: put cells that hold the delimiter in quotes", "line": line}
        if any("\n" in cell or "\r" in cell for cell in cells) and self._swallowed(cells):
            # Two stray quotes, each at the edge of a cell, turn what lies between them into one cell.
            reason = "holds what looks like another row inside quotes: check its quotation marks"
            return {BROKEN: reason, "line": self.delimiter.join(cells)}
        return dict(zip(self.columns, cells, strict=True))

    def _swallowed(self, cells: list[str]) -> bool:
        """Whether a line inside a cell reads like the beginning of a row, up to that cell's column."""
        numbers = (self.columns.index("amount"), self.columns.index("date"))
        for column, cell in enumerate(cells):
            for line in cell.splitlines()[1:]:
                parts = line.split(self.delimiter)
                if len(parts) > max(column, 1) and all(
                    any(map(str.isdigit, parts[number])) for number in numbers if number < len(parts)
                ):
                    return True
        return False


def open_ledger(path: Path, *, default_currency: str | None = None) -> LedgerFile:
    """Look at a whole ledger file and check its header.

    `default_currency` stands for a missing `currency` column. Raises UsageError if there is no such
    file, InputRefused if it is no ledger: empty, no text, or without a column that is needed.
    """
    _check_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise InputRefused(f"{path}: {what}")
        text = survey(path)
        candidates = [_header(path, text, delimiter) for delimiter in DELIMITERS]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except NotTextError as error:
        raise InputRefused(f"{path}: {error}: not a table; save it as CSV (UTF-8)") from None
    # The delimiter is the one by which the header makes most sense, then the most frequent one.
    row, cells, delimiter = max(candidates, key=lambda found: (len(_standard(found[1])), len(found[1])))
    if row == 0:
        raise InputRefused(f"{path}: is empty; a ledger needs a header row with {', '.join(REQUIRED)}")
    _check_header(path, row, cells, default_currency, binary=b"\0" in head)
    return LedgerFile(
        path=path,
        name=os.fsencode(path.name).decode("utf-8", "backslashreplace"),
        sha256=text.sha256,
        columns=_columns(cells),
        delimiter=delimiter,
        header_row=row,
        text=text,
    )


def _check_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f"{path}: no ledger there: {getattr(error, 'strerror', None) or error}") from None
    if S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder; name one CSV file")
    if not S_ISREG(mode):
        raise UsageError(f"{path}: is not a file")


def _records(path: Path, text: Survey, delimiter: str) -> Iterator[tuple[int, list[str] | Broken]]:
    with path.open(encoding=text.encoding, errors=text.errors, newline="") as file:
        yield from enumerate(records(file, delimiter), start=1)


def _blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


def _header(path: Path, text: Survey, delimiter: str) -> tuple[int, list[str], str]:
    """The first row that is not blank: its number (0: there is none), its trimmed cells, the delimiter."""
    for number, cells in _records(path, text, delimiter):
        if isinstance(cells, Broken):
            return number, [cells.line.strip()], delimiter
        # Tried with another delimiter than its own, a blank row `,,,` is a cell of delimiters.
        if any(cell.strip().strip("".join(DELIMITERS)) for cell in cells):
            return number, [cell.strip() for cell in cells], delimiter
    return 0, [], delimiter


def _standard(cells: list[str]) -> list[str]:
    return [name for cell in cells if (name := cell.lower()) in COLUMNS]


def _check_header(
    path: Path, row: int, cells: list[str], default_currency: str | None, *, binary: bool
) -> None:
    standard = _standard(cells)
    lacking = [name for name in REQUIRED if name not in standard]
    if binary and lacking:
        raise InputRefused(f"{path}: is binary data, not a table; save it as CSV (UTF-8)")
    where = f"{path}, row {row}"
    found = ", ".join(_shown(cell) for cell in cells[:20]) + (", …" if len(cells) > 20 else "")
    if lacking:
        columns = f"column{'s' if len(lacking) > 1 else ''} {', '.join(lacking)}"
        raise InputRefused(f"{where}: the header lacks the {columns}; found: {found}")
    for name in COLUMNS:
        if standard.count(name) > 1:
            raise InputRefused(
                f"{where}: the header repeats the column {name}; keep one of them; found: {found}"
            )
    if "currency" not in standard and default_currency is None:
        advice = "add it, or give the ledger's profile a currency"
        raise InputRefused(f"{where}: the header lacks the column currency; {advice}; found: {found}")


def _shown(cell: str) -> str:
    text = cell if len(cell) <= 40 else cell[:40] + "…"
    return text if text.isprintable() and text else ascii(text)


def _columns(cells: list[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for position, cell in enumerate(cells, start=1):
        name = cell.lower() if cell.lower() in COLUMNS else cell or f"column {position}"
        while name in names:  # only columns that are not read may repeat
            name = f"{name} (column {position})"
        names[name] = None
    return tuple(names)
