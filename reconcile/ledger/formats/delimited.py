"""Delimited text: from the bytes of a file to records of cells. Knows nothing of ledgers.

Two rules hold. The encoding is found from all bytes of a file, not only from its first block. And a broken record
costs only itself: reading goes on with the line after the first line of that record.
"""

import codecs
import csv
import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reconcile.core.errors import UnfinishedFile
from reconcile.ledger.formats.encodings import SAMPLE, proposed_encoding
from reconcile.ledger.formats.stamp import Stamp, check_unchanged, stamp_of
from reconcile.ledger.table import BrokenRecord, Record

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}

MAX_RECORD = 65_536
"""Characters of a record with quotes. Limits how far a quote that is never closed is followed; the csv module's own
limit for a cell is 131,072."""

MAX_LINE_BYTES = 16 * 2**20
"""A file with a longer line is not a table. At least one whole line is in memory at a time."""

_HEAD = 4096
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PAIRS, _MOSTLY = 8, 0.6
"""This many pairs of bytes, of which this part has one zero, show UTF-16 without a mark."""

_BLOCK = 2**20
_QUOTE = '"'
_SHOWN = {"utf-8-sig": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}
_ESCAPED = re.compile("[\udc80-\udcff]")
_MULTIBYTE = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")


class NotTextError(Exception):
    """The bytes are not text in any supported encoding; the argument says why."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over all bytes of a file finds."""

    sha256: str
    stamp: Stamp
    """A change while the file is read is noticed by it."""
    encoding: str
    errors: str
    """`strict`, or `surrogateescape` for a UTF-8 file with some invalid bytes: these become lone surrogates, and so
    mark the records that hold them."""
    line_feeds_only: bool
    """Whether every line ends with a line feed, and none with a carriage return alone."""
    wide: bool = False
    """Whether a character takes two bytes or more, ASCII too."""
    open_end: bool = False
    """Whether the last line has no end."""
    proposed: tuple[str, str] | None = None
    """Another encoding that the bytes may rather be in: as Python names it and as people do."""


def survey(path: Path, encoding: str | None = None) -> Survey:
    """Read a file once, for its digest and its encoding, which is `encoding` where it is known.

    UTF-8 with or without a byte order mark, UTF-16 likewise, else Windows-1252. A file that holds both
    valid UTF-8 sequences and foreign bytes is UTF-8 with damage, not Windows-1252: read as that, its
    sound records would turn into `Ã©`. Raises NotTextError; OSError if the file cannot be read.
    """
    if encoding is not None:
        encoding = codecs.lookup(encoding).name
        encoding = None if encoding == "utf-8" else encoding
    digest, line_ends = hashlib.sha256(), _LineEnds()
    escaped = multibyte = False
    with path.open("rb") as file:
        stamp = stamp_of(file.fileno())
        head = file.read(_HEAD)
        file.seek(0)
        named = encoding if encoding is not None and not head.startswith(_MARKS) else _wide(head)
        wide = named is not None and len("a".encode(named).removeprefix(codecs.BOM_UTF16)) > 1
        marked = head.startswith(codecs.BOM_UTF8)
        decoder = codecs.getincrementaldecoder(named or "utf-8")("strict" if named else "surrogateescape")
        block = b"start"
        end_of_line = True
        while block:
            block = file.read(_BLOCK)
            digest.update(block)
            line_ends.add(block)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                if encoding is not None and named == encoding:
                    raise NotTextError(
                        f"is not in the encoding {encoding} that the profile names ({error.reason})"
                    ) from None
                raise NotTextError(f"begins as UTF-16 but is not ({error.reason})") from None
            if text:
                end_of_line = text[-1] in "\r\n"
            if not text.isascii():
                escaped = escaped or _ESCAPED.search(text) is not None
                multibyte = multibyte or _MULTIBYTE.search(text) is not None
        if named is not None:
            found, errors = named, "strict"
        elif not escaped:
            found, errors = "utf-8-sig", "strict"
        elif marked or multibyte:
            found, errors = "utf-8-sig", "surrogateescape"
        else:
            _check_windows(file)
            found, errors = "cp1252", "strict"
        proposed = None
        if named is None and escaped:
            file.seek(0)
            proposed = proposed_encoding(file.read(SAMPLE))
        elif encoding is not None and named == encoding and not wide and _is_utf8(file):
            proposed = ("utf-8", "UTF-8")
    return Survey(
        digest.hexdigest(),
        stamp,
        found,
        errors,
        line_ends.returns == 0,
        wide,
        not end_of_line,
        proposed,
    )


class _LineEnds:
    """What the bytes of a file say of its lines, block by block."""

    def __init__(self) -> None:
        self.returns = 0
        """Carriage returns without a line feed."""
        self._length = 0  # of the line that goes on
        self._last = b""  # a carriage return at the end of a block: the line feed may begin the next one

    def add(self, block: bytes) -> None:
        """Take in the next block. Raises NotTextError where a line is too long."""
        self.returns += block.count(b"\r") - (self._last + block).count(b"\r\n")
        self._last = block[-1:] if block.endswith(b"\r") else b""
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._length = self._length + len(block) if end < 0 else len(block) - end - 1
        if self._length > MAX_LINE_BYTES:
            raise NotTextError(f"holds a line of more than {MAX_LINE_BYTES // 2**20} MiB")


def _is_utf8(file: IO[bytes]) -> bool:
    """Whether a file that is said to be in another encoding is UTF-8, and holds more than ASCII."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    more = False
    try:
        while block := file.read(_BLOCK):
            more = more or not block.isascii()
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return more


def _wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32, by its byte order mark or, without one, by the zeros of every other byte."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    pairs = len(head) // 2
    if pairs < _PAIRS:
        return None
    first, second = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if second > pairs * _MOSTLY and first == 0:
        return "utf-16-le"
    return "utf-16-be" if first > pairs * _MOSTLY and second == 0 else None


@dataclass(frozen=True, slots=True)
class DelimitedTable:
    """A text file, read with one delimiter."""

    path: Path
    text: Survey
    delimiter: str
    binary: bool = False
    """Whether a NUL stands near its beginning: then it is no text, unless it proves to be a ledger."""
    quote: str = '"'
    """What stands around cells that hold the delimiter."""

    @property
    def kind(self) -> str:
        """The delimiter and the encoding, as people say them."""
        encoding = self.text.encoding
        shown = _SHOWN.get(encoding, encoding.upper())
        damage = " with foreign bytes in it" if self.text.errors != "strict" else ""
        quote = "" if self.quote == _QUOTE else ", apostrophes for quotes"
        return f"CSV, {DELIMITERS[self.delimiter]}, {shown}{damage}{quote}"

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
            yield from enumerate(records(Lines(file), self.delimiter, self.quote), start=1)

    def notes(self) -> list[str]:
        """What a person should know of the text, each in a sentence."""
        if self.text.proposed is None:
            return []
        code, name = self.text.proposed
        return [f'the text may rather be {name}: give the ledger\'s profile encoding = "{code}"']

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Raise UnfinishedFile, before or after, if the file has changed since the survey."""
        check_unchanged(self.path, self.text.stamp, self.path)
        try:
            yield
        except (OSError, UnicodeDecodeError):
            raise UnfinishedFile(self.path) from None
        check_unchanged(self.path, self.text.stamp, self.path)


def _check_windows(file: IO[bytes]) -> None:
    file.seek(0)
    while block := file.read(_BLOCK):
        try:
            block.decode("cp1252")  # one byte a character, so no block cuts a character
        except UnicodeDecodeError:
            file.seek(0)
            found = proposed_encoding(file.read(SAMPLE))
            advice = (
                f'; it may be {found[1]}: give the ledger\'s profile encoding = "{found[0]}"' if found else ""
            )
            raise NotTextError(
                f"is neither UTF-8, UTF-16 with a byte order mark, nor Windows-1252{advice}"
            ) from None


class Lines:
    """The lines of a text. Lines that a broken record took can be put back and read again."""

    def __init__(self, source: Iterable[str]) -> None:
        self._source = iter(source)
        self._again: deque[str] = deque()

    @property
    def has_put_back(self) -> bool:
        """Whether the next line was read before."""
        return bool(self._again)

    def read(self) -> str | None:
        """The next line; None at the end."""
        return self._again.popleft() if self._again else next(self._source, None)

    def put_back(self, lines: Sequence[str]) -> None:
        """Let these lines come next."""
        self._again.extendleft(reversed(lines))


def records(lines: Lines, delimiter: str, quote: str = _QUOTE) -> Iterator[list[str] | BrokenRecord]:
    """The records of RFC 4180, one for every row that a spreadsheet shows; a blank line is `[""]`.

    `lines` keep their line ends (a file opened with `newline=""`), so that a line break inside quotes
    stays as written. A quote inside an unquoted cell (`5" pipe`) is an ordinary character.
    Cells written as `="0012"`, the form that keeps a spreadsheet from altering text, are that text.
    Blanks between a delimiter and a quote do not count; a line that is one quoted cell as a whole is cut once more;
    where a quote is escaped by a backslash, and only so the record has an end, it is.
    """
    spaced = re.compile(rf"(?:^|{re.escape(delimiter)})[ \xa0]+{quote}")
    while (line := lines.read()) is not None:
        if quote not in line:
            yield line.rstrip("\r\n").split(delimiter)
            continue
        taken: list[str] = []
        tight = delimiter != "\t" and spaced.search(line) is not None
        try:
            cells = next(
                csv.reader(
                    _lines_of_record(line, lines, taken),
                    delimiter=delimiter,
                    quotechar=quote,
                    skipinitialspace=tight,
                    strict=True,
                )
            )
        except (csv.Error, StopIteration):
            # Nobody can know which quote is the wrong one. Only the first line is given up.
            lines.put_back(taken[1:])
            yield _written_loosely(line, delimiter, quote) or BrokenRecord(
                line.rstrip("\r\n"), _quote_reason(line)
            )
            continue
        if len(cells) == 1 and delimiter in cells[0] and len(taken) == 1 and line.strip().endswith(quote):
            cells = _cut_once_more(cells, delimiter)
        yield [_unwrap(cell) if cell.startswith('="') else cell for cell in cells]


def _cut_once_more(cells: list[str], delimiter: str) -> list[str]:
    """The cells of a line that was quoted as a whole."""
    try:
        return next(csv.reader([cells[0]], delimiter=delimiter, strict=True), cells)
    except csv.Error:
        return cells


def _written_loosely(line: str, delimiter: str, quote: str) -> list[str] | None:
    """The cells of a line with blanks behind its quotes, or with backslashes before them; None if it is not so."""
    tight = re.sub(rf"{quote}[ \xa0]+(?={re.escape(delimiter)}|[\r\n]*$)", quote, line)
    if tight != line:
        with suppress(csv.Error, StopIteration):
            return next(
                csv.reader([tight], delimiter=delimiter, quotechar=quote, skipinitialspace=True, strict=True)
            )
    return _escaped_by_backslash(line, delimiter, quote)


def _escaped_by_backslash(line: str, delimiter: str, quote: str) -> list[str] | None:
    """The cells of a line as MySQL writes it, `"12\\" pipe"`; None if they are not written so."""
    if f"\\{quote}" not in line:
        return None
    try:
        # Without the escaped ones the quotes must be in order: the reader below does not mind what follows a cell.
        next(csv.reader([line.replace(f"\\{quote}", "")], delimiter=delimiter, quotechar=quote, strict=True))
        return next(
            csv.reader(
                [line], delimiter=delimiter, quotechar=quote, escapechar="\\", doublequote=False, strict=True
            )
        )
    except (csv.Error, StopIteration):
        return None


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
