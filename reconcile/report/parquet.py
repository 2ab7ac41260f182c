"""`discrepancies.parquet`: the open discrepancies for programs, with decimals, dates and whole texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.core.money import Currencies
from reconcile.report.columns import AMOUNTS, DAYS, NUMBERS

_ROWS_AT_A_TIME = 5_000


def schema(columns: Sequence[str], currencies: Currencies) -> pa.Schema:
    """The columns with their types. Amounts have as many decimals as the known currency with the most.

    38 digits are enough for the sum of 10,000 of the longest amounts with 4 decimals, the most in ISO 4217. If a
    currency has more decimals, amounts have 76 digits.
    """
    scale = max(currencies.digits.values())
    amount = pa.decimal128(38, scale) if scale <= 4 else pa.decimal256(76, scale)
    types = {
        **dict.fromkeys(NUMBERS, pa.int32()),
        **dict.fromkeys(DAYS, pa.date32()),
        **dict.fromkeys(AMOUNTS, amount),
    }
    return pa.schema([(name, types.get(name, pa.string())) for name in columns])


def write_alongside(
    path: Path, form: pa.Schema, rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield every row, and write it to this file too; the file is complete after the last row.

    A missing value and an empty text are null there. The same rows give the same bytes.
    """
    columns: list[list[object]] = [[] for _ in form.names]
    with pq.ParquetWriter(path, form, compression="zstd") as writer:

        def write() -> None:
            cells = [pa.array(column, kind) for column, kind in zip(columns, form.types, strict=True)]
            writer.write_table(pa.table(cells, schema=form))
            for column in columns:
                column.clear()

        for number, row in enumerate(rows, 1):
            yield row  # first: whoever takes it says of an amount that has too many decimals whose it is
            for column, name in zip(columns, form.names, strict=True):
                column.append(row.get(name) or _zero(row.get(name)))
            if number % _ROWS_AT_A_TIME == 0:
                write()
        if columns[0]:
            write()


def _zero(value: object) -> object:
    return None if value == "" else value
