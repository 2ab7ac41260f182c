"""Parquet files: their decimals, whole numbers, texts and dates keep their types."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.core.errors import InputRefused
from reconcile.ledger.formats.stamp import Stamp, check_unchanged, stamp_of
from reconcile.ledger.table import Cell, Record, UnreadableCell, exact

_ROWS = 10_000
"""Rows in memory at once."""


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """A Parquet file. Its column names count as row 1, as a spreadsheet would show them."""

    path: Path
    where: str
    sha256: str
    stamp: Stamp
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The format."""
        return "Parquet"

    def records(self) -> Iterator[Record]:
        """The column names, then every row. Raises UnfinishedFile if the file has changed."""
        check_unchanged(self.path, self.stamp, self.where)
        yield 1, self.names
        number = 1
        try:
            with self.path.open("rb") as file, pq.ParquetFile(file) as parquet:
                for batch in parquet.iter_batches(batch_size=_ROWS):
                    columns = [_cells(column) for column in batch.columns]
                    for cells in zip(*columns, strict=True):
                        number += 1
                        yield number, cells
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputRefused(f"{self.where}: {_damaged(error)}") from None
        check_unchanged(self.path, self.stamp, self.where)


def open_parquet(path: Path, where: str) -> ParquetTable:
    """Read the column names of a Parquet file. Raises InputRefused if it is damaged."""
    with path.open("rb") as file:
        stamp = stamp_of(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            with pq.ParquetFile(file) as parquet:
                schema = parquet.schema_arrow
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise InputRefused(f"{where}: {_damaged(error)}") from None
    return ParquetTable(path, where, sha256, stamp, tuple(schema.names))


def _damaged(error: Exception) -> str:
    return (
        f"is a Parquet file that is damaged or cut off; write it again ({' '.join(str(error).split())[:200]})"
    )


def _cells(column: pa.Array) -> list[Cell]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Python's datetime has no nanoseconds.
        column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return ["" if value is None else _short(value) for value in column.to_pylist()]
    return [cell_of(value) for value in column.to_pylist()]


def _short(value: float) -> Cell:
    return UnreadableCell(
        repr(value),
        "is a number of single precision, which keeps only 7 digits: export the column as decimal",
    )


def cell_of(value: object) -> Cell:
    """A value of a typed source; None is blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str | Decimal | datetime | date):
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return exact(value)
    if isinstance(value, bytes | memoryview):
        return _decoded(bytes(value))
    return str(value)


def _decoded(value: bytes) -> Cell:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return UnreadableCell(value[:40].hex(), "holds bytes that are not text")
