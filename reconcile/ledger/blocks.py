"""Delimited text by the block: thousands of rows cut into cells at once, where it is certain that this is right.

A block is certain where every line has as many cells as there are columns and every quote stands at the edge of a
cell, none of which holds a line break. All else is read by the careful reader, record by record; both count on.
"""

import io
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

SIZE = 2**19
"""Bytes of a file that are made a block."""

MAX_USUAL = 500
"""Bytes of a line; no cell of a shorter one is longer than a key may be."""

_NEWLINE, _RETURN, _QUOTE, _BACKSLASH = b'\n\r"\\'
_ODD = np.ones(256, dtype=bool)
_ODD[ord(" ") : ord("~") + 1] = False
_ODD[[_NEWLINE, _RETURN]] = False
_ODD[_BACKSLASH] = True  # COPY gives it a meaning
"""By byte, whether a line that holds it is left to the careful reader."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, every one of them a record with as many cells as there are columns."""

    first: int
    """The number of the first row."""
    cells: Mapping[str, Any]
    """By name, the columns that were asked for, as arrays of Arrow; only the usual rows are sure to be UTF-8."""
    usual: NDArray[np.bool_]
    """Which rows are short and of printable ASCII, and below the header."""
    _lines: bytes
    _ends: NDArray[np.intp]
    _table: DelimitedTable

    def record(self, index: int) -> Record:
        """One row as the careful reader reads it."""
        start = self._ends[index - 1] if index else 0
        number = self.first + index
        line = _decoded(self._table, self._lines[start : self._ends[index]], number)
        return number, next(records(Lines([line]), self._table.delimiter))


def in_blocks(table: DelimitedTable, header: Header, wanted: Collection[str]) -> Iterator[Block | Record]:
    """All that `table.records()` gives, by the block where that is certain; of a block the cells that are wanted.

    Raises Unfinished if the file has changed.
    """
    if table.text.encoding == "utf-16" or not table.text.even:
        yield from table.records()
        return
    with table.unchanged(), table.path.open("rb") as file:
        chunks = _chunks(file)
        number = 1
        for chunk in chunks:
            if (block := _block(table, header, wanted, chunk, number)) is not None:
                yield block
                number += len(block.usual)
                continue
            source = _Source(table, chunk, chunks, number)
            lines = Lines(source)
            for cells in records(lines, table.delimiter):
                yield number, cells
                number += 1
                if source.at_edge and not lines.come_again:
                    break


class _Source:
    """The lines of a chunk, and of the following ones for as long as a record asks for more."""

    def __init__(self, table: DelimitedTable, chunk: bytes, chunks: Iterator[bytes], number: int) -> None:
        self._table = table
        self._chunks = chunks
        self._lines = deque(_lines(table, chunk, number))

    @property
    def at_edge(self) -> bool:
        """Whether the next line begins a chunk."""
        return not self._lines

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._lines:
            self._lines.extend(_lines(self._table, next(self._chunks), 2))
        return self._lines.popleft()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file in pieces that end where a line ends."""
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
        encoding = "utf-8"  # a byte order mark is one only where the file begins
    return content.decode(encoding, table.text.errors)


def _block(
    table: DelimitedTable, header: Header, wanted: Collection[str], chunk: bytes, number: int
) -> Block | None:
    """The chunk as a block; None where that is not certain."""
    content = np.frombuffer(chunk, dtype=np.uint8)
    ends = np.flatnonzero(content == _NEWLINE) + 1
    if not chunk.endswith(b"\n"):
        ends = np.append(ends, len(chunk))
    quotes = np.flatnonzero(content == _QUOTE) if b'"' in chunk else None
    delimiter = ord(table.delimiter)
    if quotes is not None and not _at_edges(content, quotes, delimiter):
        return None
    names = list(map(str, range(len(header.names))))  # a header may be no text that Arrow can hold
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
    except pa.ArrowInvalid:  # a row that is too short or too long
        return None
    if cells.num_rows != len(ends):
        return None
    odd = _ODD[content]
    if table.delimiter == "\t":
        if quotes is not None:
            return None  # a tab may be a letter of a cell
        odd &= content != delimiter
    usual = np.diff(ends, prepend=0) <= MAX_USUAL
    usual[np.searchsorted(ends, np.flatnonzero(odd), side="right")] = False
    usual[: max(0, header.row - number + 1)] = False
    columns = {name: cells.column(names[place]).combine_chunks() for name, place in places.items()}
    return Block(number, columns, usual, chunk, ends, table)


def fitting(cells: Any, pattern: str) -> NDArray[np.bool_]:
    """Which cells match the pattern (of RE2) as a whole."""
    found: NDArray[np.bool_] = pc.match_substring_regex(cells, f"^(?:{pattern})$").to_numpy(
        zero_copy_only=False
    )
    return found


def _at_edges(content: NDArray[np.uint8], quotes: NDArray[np.intp], delimiter: int) -> bool:
    """Whether quotes stand only around cells: each pair opens where a cell begins and closes where it ends, and
    between the two is neither a quote nor the end of a line."""
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
