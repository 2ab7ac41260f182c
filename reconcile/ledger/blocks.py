"""The fast path for delimited text: cuts thousands of rows into cells at once, where this is certain to be right.

A block is certain if every line has as many cells as there are columns, quotes stand only around whole cells, and no
cell holds a line break. All else goes to the exact reader, record by record (`formats.delimited`); row numbers go on
through both.
"""

import io
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import csv

from reconcile.ledger.formats.delimited import DelimitedTable, Lines, records
from reconcile.ledger.header import Header
from reconcile.ledger.table import Record

# Arrow's usual allocator keeps what blocks gave back: 20 MiB more at 60,000 rows.
pa.set_memory_pool(pa.system_memory_pool())

SIZE = 2**19
"""Bytes of a block."""

MAX_USUAL = 500
"""Bytes of a usual line; so no cell of one is longer than a key may be."""

_BLANK = 2
"""Bytes of a line that holds nothing but its end. Arrow fills such a row with blank cells, the record has one."""

_NEWLINE, _RETURN, _QUOTE, _BACKSLASH = b'\n\r"\\'
_ODD = np.ones(256, dtype=bool)
_ODD[ord(" ") : ord("~") + 1] = False
_ODD[[_NEWLINE, _RETURN]] = False
_ODD[_BACKSLASH] = True  # COPY gives it a meaning
_ODD[ord("'")] = True  # around a cell it does not count
"""By byte, whether a line that holds it is left to the careful reader."""

_BYTES = ("utf-8-sig", "cp1252")
"""Encodings in which the bytes of ASCII mean nothing else."""

_WORDS = tuple(
    (word, re.compile(rb"(?<![A-Z0-9])" + word + rb"(?![A-Z0-9])"))
    for word in (b"NULL", b"NAN", b"NAT", b"NA")
)
"""Words for nothing, of databases and of pandas, which only the careful reader knows."""
_DIGIT = np.zeros(256, dtype=bool)
_DIGIT[ord("0") : ord("9") + 1] = True
_AFTER_E = _DIGIT.copy()
_AFTER_E[[ord("+"), ord("-")]] = True
_AFTER_HASH = np.zeros(256, dtype=bool)
_AFTER_HASH[[*b"#NRVDnrvd"]] = True


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, each with as many cells as there are columns."""

    first: int
    """The number of the first row."""
    cells: Mapping[str, Any]
    """The wanted columns by name, as Arrow arrays of text; only the usual rows are sure to be UTF-8."""
    usual: NDArray[np.bool_]
    """By row, whether it is short, printable ASCII, and below the header."""
    _lines: bytes
    _ends: NDArray[np.intp]
    _table: DelimitedTable

    def record(self, index: int) -> Record:
        """One row as the exact reader reads it."""
        start = self._ends[index - 1] if index else 0
        number = self.first + index
        line = _decoded(self._table, self._lines[start : self._ends[index]], number)
        return number, next(records(Lines([line]), self._table.delimiter))


Usual = dict[tuple[int, int], NDArray[np.uint8]]
"""By first row and number of rows of a block, which of them are usual, a bit each: what one reading found is not
searched again."""


def in_blocks(
    table: DelimitedTable, header: Header, wanted: Collection[str], usual: Usual | None = None
) -> Iterator[Block | Record]:
    """The records of `table.records()`, as blocks of the `wanted` columns where this is certain.

    `usual` is filled by the first reading, and used by the next. Raises UnfinishedFile if the file has changed.
    """
    usual = {} if usual is None else usual
    if table.text.encoding not in _BYTES or not table.text.line_feeds_only or table.quote != '"':
        yield from table.records()
        return
    with table.unchanged(), table.path.open("rb") as file:
        chunks = _chunks(file)
        number = 1
        for chunk in chunks:
            if (block := _block(table, header, wanted, chunk, number, usual)) is not None:
                yield block
                number += len(block.usual)
                continue
            source = _ChunkLines(table, chunk, chunks, number)
            lines = Lines(source)
            for cells in records(lines, table.delimiter):
                yield number, cells
                number += 1
                if source.at_edge and not lines.has_put_back:
                    break


class _ChunkLines:
    """The lines of a chunk, and of the next chunks while a record needs more lines."""

    def __init__(self, table: DelimitedTable, chunk: bytes, chunks: Iterator[bytes], number: int) -> None:
        self._table = table
        self._chunks = chunks
        self._lines = deque(_lines(table, chunk, number))

    @property
    def at_edge(self) -> bool:
        """Whether the next line is the first of a chunk."""
        return not self._lines

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._lines:
            self._lines.extend(_lines(self._table, next(self._chunks), 2))
        return self._lines.popleft()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file in chunks that end at the end of a line."""
    rest = b""
    while piece := file.read(SIZE):
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
    if rest:
        yield rest


def _lines(table: DelimitedTable, chunk: bytes, number: int) -> Iterator[str]:
    return io.StringIO(_decoded(table, chunk, number), newline="\n")


def _decoded(table: DelimitedTable, content: bytes, number: int) -> str:
    encoding = table.text.encoding
    if encoding == "utf-8-sig" and number > 1:
        encoding = "utf-8"  # only the start of the file has a byte order mark
    return content.decode(encoding, table.text.errors)


def _block(
    table: DelimitedTable, header: Header, wanted: Collection[str], chunk: bytes, number: int, known: Usual
) -> Block | None:
    """The chunk as a block; None if that is not certain to be right."""
    content = np.frombuffer(chunk, dtype=np.uint8)
    ends = np.flatnonzero(content == _NEWLINE) + 1
    if not chunk.endswith(b"\n"):
        ends = np.append(ends, len(chunk))
    quotes = np.flatnonzero(content == _QUOTE) if b'"' in chunk else None
    delimiter = ord(table.delimiter)
    if quotes is not None and not _at_edges(content, quotes, delimiter):
        return None
    names = list(map(str, range(len(header.names))))  # Arrow cannot hold every text that a header may have
    places = {name: header.names.index(name) for name in wanted}
    try:
        cells = csv.read_csv(
            pa.BufferReader(chunk),
            csv.ReadOptions(column_names=names, use_threads=False, block_size=len(chunk) + 1),
            csv.ParseOptions(
                delimiter=table.delimiter,
                quote_char=False if quotes is None else '"',
                double_quote=False,
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=[names[place] for place in places.values()],
            ),
        )
    except pa.ArrowInvalid:  # a row has too few or too many cells
        return None
    if cells.num_rows != len(ends):
        return None
    if table.delimiter == "\t" and quotes is not None:
        return None  # a tab may stand inside a cell
    if (found := known.get((number, len(ends)))) is not None:
        usual = np.unpackbits(found, count=len(ends)).view(np.bool_)
    else:
        usual = _usual(table, header, chunk, content, ends, number)
        known[number, len(ends)] = np.packbits(usual)
    columns = {name: cells.column(names[place]).combine_chunks() for name, place in places.items()}
    return Block(number, columns, usual, chunk, ends, table)


def _usual(
    table: DelimitedTable,
    header: Header,
    chunk: bytes,
    content: NDArray[np.uint8],
    ends: NDArray[np.intp],
    number: int,
) -> NDArray[np.bool_]:
    """By row of a chunk, whether it is usual."""
    odd = _ODD[content]
    if table.delimiter == "\t":
        odd &= content != ord("\t")
    lengths = np.diff(ends, prepend=0)
    usual = (lengths > _BLANK) & (lengths <= MAX_USUAL)
    usual[np.searchsorted(ends, np.flatnonzero(odd), side="right")] = False
    usual[: max(0, header.row - number + 1)] = False
    upper = chunk.upper()
    for word, pattern in _WORDS:
        if word in upper:
            at = np.fromiter((found.start() for found in pattern.finditer(upper)), dtype=np.intp)
            usual[np.searchsorted(ends, at, side="right")] = False
    usual[np.searchsorted(ends, _spoiled(content), side="right")] = False
    return usual


def _spoiled(content: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Where a number may have been shortened (9.8E+11), or a spreadsheet's error begins (#N/A)."""
    hashes = np.flatnonzero(content[:-1] == ord("#"))
    letters = np.flatnonzero((content[1:-1] | 32) == ord("e")) + 1
    letters = letters[_DIGIT[content[letters - 1]] & _AFTER_E[content[letters + 1]]]
    found: NDArray[np.intp] = np.concatenate((hashes[_AFTER_HASH[content[hashes + 1]]], letters))
    return found


def match_whole(cells: Any, pattern: str) -> NDArray[np.bool_]:
    """By cell, whether the whole of it matches this RE2 pattern."""
    found: NDArray[np.bool_] = pc.match_substring_regex(cells, f"^(?:{pattern})$").to_numpy(
        zero_copy_only=False
    )
    return found


def _at_edges(content: NDArray[np.uint8], quotes: NDArray[np.intp], delimiter: int) -> bool:
    """Whether quotes stand only around whole cells, with neither a quote nor a line end between an opening quote and
    its closing one."""
    if len(quotes) % 2:
        return False
    around = np.concatenate(([_NEWLINE], content, [_NEWLINE]))
    opening, closing = quotes[::2], quotes[1::2]
    before, after = around[opening], around[closing + 2]
    begins = (before == delimiter) | (before == _NEWLINE)
    closes = (after == delimiter) | (after == _NEWLINE) | (after == _RETURN)
    line_ends = np.flatnonzero(content == _NEWLINE)
    one_line = np.searchsorted(line_ends, opening) == np.searchsorted(line_ends, closing)
    return bool(np.all(begins & closes & one_line))
