"""`discrepancies.parquet`: the open discrepancies for programs, with real decimals and days, and no text cut."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.core.money import Currencies
from reconcile.report.columns import AMOUNTS, DAYS, NUMBERS

_ROWS_AT_A_TIME = 5_000


def schema(columns: Sequence[str], currencies: Currencies) -> pa.Schema:
    """The columns with their types; an amount has as many decimals as the currency with the most of them.

    38 digits hold the sum of 10,000 amounts as long as they may be, at the four decimals that ISO 4217 has at most;
    with a currency of more decimals they are 76.
    """
    scale = max(currencies.digits.values())
    amount = pa.decimal128(38, scale) if scale <= 4 else pa.decimal256(76, scale)
    types = {
        **dict.fromkeys(NUMBERS, pa.int32()),
        **dict.fromkeys(DAYS, pa.date32()),
        **dict.fromkeys(AMOUNTS, amount),
    }
    return pa.schema([(name, types.get(name, pa.string())) for name in columns])


def written_along(
    path: Path, form: pa.Schema, rows: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Give every row on; once they are exhausted, all of them are in this file.

    What a row lacks, and an empty text, is null there. The same rows give the same bytes.
    """
    source = iter(rows)
    with pq.ParquetWriter(path, form, compression="zstd") as writer:
        while block := list(islice(source, _ROWS_AT_A_TIME)):
            columns = [[row.get(name) or _zero(row.get(name)) for row in block] for name in form.names]
            writer.write_table(
                pa.table(
                    [pa.array(cells, kind) for cells, kind in zip(columns, form.types, strict=True)],
                    schema=form,
                )
            )
            yield from block


def _zero(value: object) -> object:
    return None if value == "" else value
