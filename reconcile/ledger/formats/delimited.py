"""Delimited text: from the bytes of a file to records of cells. Knows nothing of ledgers.

Two rules hold. The encoding is found from all bytes of a file, not only from its first block. And a broken record
costs only itself: reading goes on with the line after the first line of that record.
"""

import codecs
import csv
import hashlib
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reconcile.core.errors import UnfinishedFile
from reconcile.ledger.table import BrokenRecord, Record

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

MAX_RECORD = 65_536
"""Characters of a record with quotes. Limits how far a quote that is never closed is followed; the csv module's own
limit for a cell is 131,072."""

MAX_LINE_BYTES = 16 * 2**20
"""A file with a longer line is not a table. At least one whole line is in memory at a time."""

_BLOCK = 2**20
_QUOTE = '"'
_ESCAPED = re.compile("[\udc80-\udcff]")
_MULTIBYTE = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")


class NotTextError(Exception):
    """The bytes are not text in any supported encoding; the argument says why."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over all bytes of a file finds."""

    sha256: str
    modified_ns: int
    """The file's modification time in nanoseconds; a change while reading is noticed by it."""
    encoding: str
    errors: str
    """`strict`, or `surrogateescape` for a UTF-8 file with some invalid bytes: these become lone surrogates, and so
    mark the records that hold them."""
    line_feeds_only: bool
    """Whether every line ends with a line feed, none with only a carriage return."""


def survey(path: Path) -> Survey:
    """Read a file once to find its digest and its encoding.

    UTF-8 with or without a byte order mark, UTF-16 with one, else Windows-1252. A file with valid UTF-8 sequences and
    invalid bytes is damaged UTF-8: read as Windows-1252, its good records would show `Ã©`. Raises NotTextError;
    OSError if the file cannot be read.
    """
    digest = hashlib.sha256()
    line = 0
    escaped = multibyte = False
    returns = 0
    last = b""
    with path.open("rb") as file:
        modified_ns = os.fstat(file.fileno()).st_mtime_ns
        head = file.read(4)
        file.seek(0)
        wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        marked = head.startswith(codecs.BOM_UTF8)
        decoder = codecs.getincrementaldecoder("utf-16" if wide else "utf-8")(
            "strict" if wide else "surrogateescape"
        )
        block = b"start"
        while block:
            block = file.read(_BLOCK)
            digest.update(block)
            returns += block.count(b"\r") - (last + block).count(b"\r\n")
            last = block[-1:] if block.endswith(b"\r") else b""
            end = max(block.rfind(b"\n"), block.rfind(b"\r"))
            line = line + len(block) if end < 0 else len(block) - end - 1
            if line > MAX_LINE_BYTES:
                raise NotTextError(f"holds a line of more than {MAX_LINE_BYTES // 2**20} MiB")
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise NotTextError(f"begins as UTF-16 but is not ({error.reason})") from None
            if not text.isascii():
                escaped = escaped or _ESCAPED.search(text) is not None
                multibyte = multibyte or _MULTIBYTE.search(text) is not None
        if wide:
            encoding, errors = "utf-16", "strict"
        elif not escaped:
            encoding, errors = "utf-8-sig", "strict"
        elif marked or multibyte:
            encoding, errors = "utf-8-sig", "surrogateescape"
        else:
            _check_windows(file)
            encoding, errors = "cp1252", "strict"
    return Survey(digest.hexdigest(), modified_ns, encoding, errors, line_feeds_only=returns == 0)


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A text file, read with one delimiter."""

    path: Path
    text: Survey
    delimiter: str
    binary: bool = False
    """Whether there is a NUL near its beginning: then it is binary, unless its header is a ledger's."""

    @property
    def kind(self) -> str:
        """The delimiter and the encoding, for people."""
        encoding = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}[self.text.encoding]
        damage = " with invalid bytes" if self.text.errors != "strict" else ""
        return f"CSV, {DELIMITERS[self.delimiter]}, {encoding}{damage}"

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.text.sha256

    def records(self) -> Iterator[Record]:
        """Every record with its number, blank lines too. Raises UnfinishedFile if the file has changed."""
        with (
            self.unchanged(),
            self.path.open(encoding=self.text.encoding, errors=self.text.errors, newline="") as file,
        ):
            yield from enumerate(records(Lines(file), self.delimiter), start=1)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raise UnfinishedFile at the end if the file has changed since the survey."""
        try:
            yield
            unchanged = self.path.stat().st_mtime_ns == self.text.modified_ns
        except (OSError, UnicodeDecodeError):
            unchanged = False
        if not unchanged:
            raise UnfinishedFile(self.path)


def _check_windows(file: IO[bytes]) -> None:
    file.seek(0)
    while block := file.read(_BLOCK):
        try:
            block.decode("cp1252")  # one byte a character, so no block cuts a character
        except UnicodeDecodeError:
            raise NotTextError("is neither UTF-8, UTF-16 with a byte order mark, nor Windows-1252") from None


class Lines:
    """The lines of a text. Lines that a broken record took can be read again."""

    def __init__(self, source: Iterable[str]) -> None:
        self._source = iter(source)
        self._again: deque[str] = deque()

    @property
    def will_reread(self) -> bool:
        """Whether the next line was read before."""
        return bool(self._again)

    def read(self) -> str | None:
        """The next line; None at the end."""
        return self._again.popleft() if self._again else next(self._source, None)

    def reread(self, lines: Sequence[str]) -> None:
        """Let these lines come next."""
        self._again.extendleft(reversed(lines))


def records(lines: Lines, delimiter: str) -> Iterator[list[str] | BrokenRecord]:
    """The records of RFC 4180, one for each row that a spreadsheet shows; a blank line is `[""]`.

    `lines` keep their line ends (a file opened with `newline=""`), so that a line break inside quotes stays as
    written. A quote inside an unquoted cell (`5" pipe`) is an ordinary character. A cell `="0012"`, which keeps a
    spreadsheet from altering text, is the text 0012.
    """
    while (line := lines.read()) is not None:
        if _QUOTE not in line:
            yield line.rstrip("\r\n").split(delimiter)
            continue
        taken: list[str] = []
        try:
            cells = next(csv.reader(_lines_of_record(line, lines, taken), delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            # Nobody can know which quote is the wrong one. Only the first line is given up.
            lines.reread(taken[1:])
            yield BrokenRecord(line.rstrip("\r\n"), _quote_reason(line))
        else:
            yield [_unwrap(cell) if cell.startswith('="') else cell for cell in cells]


def _lines_of_record(line: str | None, lines: Lines, taken: list[str]) -> Iterator[str]:
    """Give the csv module line after line, adding each to `taken`, until the record is complete or too long."""
    size = 0
    while line is not None:
        taken.append(line)
        size += len(line)
        if size > MAX_RECORD:
            return
        yield line
        line = lines.read()


def _quote_reason(line: str) -> str:
    if len(line) > MAX_RECORD:
        return f"is longer than {MAX_RECORD} characters"
    return 'has a quotation mark that is not closed, or not written twice ("") inside a quoted cell'


def _unwrap(cell: str) -> str:
    inner = cell[2:-1]
    if len(cell) < 3 or not cell.endswith(_QUOTE) or _QUOTE in inner.replace('""', ""):
        return cell
    return inner.replace('""', _QUOTE)
