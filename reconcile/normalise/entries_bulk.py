"""Rows of a ledger in their usual form, typed a block at a time: the bulk normaliser of this side.

Usual are short ASCII texts, an ISO day, and an amount with a decimal point that fits its currency; nearly every ledger
has no others. Every other row is left to `reconcile.normalise.entries`. Amounts stay the digits that were written,
until Postgres reads them as numeric.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc

from reconcile.core.money import UNKNOWN_DIGITS, Currencies, currency_code
from reconcile.core.records import Entry, RawRow
from reconcile.ledger.amounts import USUAL
from reconcile.ledger.blocks import Block, match_whole
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.passed_over import TOTAL_IDS
from reconcile.normalise.entries import usual_day
from reconcile.normalise.normaliser import Normalised

COLUMNS = (
    "app_id", "source", "ledger_id", "reference", "comparable", "currency", "amount", "status", "dated_on",
    "transaction_id", "provider_order_id", "provider_txn_id", "description", "file", "row_number",
)  # fmt: skip
"""Of the staging table, in the order of a line."""

_IDS = ("transaction_id", "provider_order_id", "provider_txn_id")


_KEPT = np.zeros(256, dtype=bool)
_LOWER = np.arange(256, dtype=np.uint8)
for _code in range(128):
    _KEPT[_code] = chr(_code).isalnum()
    _LOWER[_code] = ord(chr(_code).lower())
"""By byte of ASCII, what `records.comparable` keeps of a reference, and as what."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Entries of one block, typed: an array for each attribute."""

    app_id: str
    source: str
    file: str
    rows: NDArray[np.intp]
    """Which rows of the block they are."""
    numbers: NDArray[np.intp]
    """The numbers of these rows in the file."""
    columns: Mapping[str, Any]
    """By attribute of an Entry, one array each of as many values."""

    def only(self, chosen: NDArray[np.bool_]) -> "_Columns":
        """Some of them."""
        if chosen.all():
            return self
        columns = {name: column.filter(pa.array(chosen)) for name, column in self.columns.items()}
        return _Columns(self.app_id, self.source, self.file, self.rows[chosen], self.numbers[chosen], columns)

    def lines(self) -> memoryview:
        """The entries as COPY reads them in its text format, with a line for each."""
        columns = {
            **self.columns,
            "app_id": _escaped(self.app_id),
            "source": _escaped(self.source),
            "file": _escaped(self.file),
            "row_number": pa.array(self.numbers).cast(pa.string()),
        }
        rows = pc.binary_join_element_wise(
            *(columns[name] for name in COLUMNS), "\t", null_handling="replace", null_replacement="\\N"
        )
        whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
        return memoryview(pc.binary_join(whole, "\n").buffers()[2])


@dataclass(frozen=True, slots=True)
class EntriesInBulk:
    """Types rows of a ledger that are in their usual form. A `Normaliser`; a row outside of a block is never usual."""

    ledger: LedgerFile
    app_id: str
    source: str
    currency: str | None
    """Of a ledger without a column for it."""
    currencies: Currencies

    def __call__(self, rows: Block | Sequence[RawRow], /) -> Normalised[Entry]:
        if not isinstance(rows, Block):
            return Normalised(rest=rows)
        found = self._columns(rows)
        others = np.ones(len(rows.usual), dtype=bool)
        others[found.rows] = False
        return Normalised(
            lines=found.lines, count=len(found.rows), rest=self._rows(rows, np.flatnonzero(others))
        )

    def _rows(self, block: Block, indexes: NDArray[np.intp]) -> list[RawRow]:
        rows = (self.ledger.row(block.record(index)) for index in indexes.tolist())
        return [row for row in rows if row is not None]

    def _columns(self, block: Block) -> "_Columns":
        style = self.ledger.style
        rows = np.flatnonzero(block.usual)
        if style.dates.format is not None or not style.amounts.usual or style.reference is not None:
            rows = rows[:0]
        if "app_id" in block.cells or not {"ledger_id", "amount", "date"} <= set(block.cells):
            rows = rows[:0]
        cells = block.cells
        if len(rows) < len(block.usual):
            cells = {name: column.take(pa.array(rows)) for name, column in cells.items()}
        absent = pa.nulls(len(rows), pa.string())
        reference = _unless_blank(_stripped(cells.get("reference", absent)))
        comparable = _comparable(reference)
        columns = {
            "ledger_id": _stripped(cells.get("ledger_id", absent)),
            "reference": reference,
            "comparable": comparable,
            "currency": _each(cells["currency"], currency_code)
            if "currency" in cells
            else pa.repeat(self.currency or "", len(rows)),
            "amount": cells.get("amount", absent),
            "status": _each(cells["status"], str.strip) if "status" in cells else pa.repeat("", len(rows)),
            "dated_on": cells.get("date", absent),
            **{name: _unless_blank(_stripped(cells[name])) if name in cells else absent for name in _IDS},
            "description": _unless_blank(_stripped(cells.get("description", absent))),
        }
        found = _Columns(self.app_id, self.source, self.ledger.name, rows, rows + block.first, columns)
        if not len(rows):
            return found
        good = match_whole(columns["amount"], USUAL.pattern)
        # A zero is written in many ways, and is one.
        good &= pc.match_substring_regex(columns["amount"], "[1-9]").to_numpy(zero_copy_only=False)
        good &= _true(_each(columns["dated_on"], lambda day: usual_day(day) is not None, pa.bool_()))
        good &= match_whole(columns["currency"], "[A-Z]{3}")
        # What has no id, or a word of totals for one, may be no record.
        good &= pc.binary_length(columns["ledger_id"]).to_numpy() > 0
        good &= ~match_whole(columns["ledger_id"], TOTAL_IDS)
        # A reference without letters and digits is compared as written.
        good &= ~_true(pc.fill_null(pc.equal(pc.binary_length(comparable), 0), False))
        usual = found.only(good)
        if not len(usual.rows):
            return usual
        return usual.only(self._fits(usual.columns["currency"], usual.columns["amount"]))

    def _fits(self, currency: Any, amount: Any) -> NDArray[np.bool_]:
        """Which amounts have no more decimals than their currency, and a known one.

        Whether a record may be used is not decided here: who is to be shown a row as it was written must not lose it.
        """
        digits = self.currencies.digits
        coded = currency.dictionary_encode()
        allowed = np.array(
            [digits.get(code, UNKNOWN_DIGITS) for code in coded.dictionary.to_pylist()], dtype=np.int64
        )[coded.indices.to_numpy()]
        written, needed = _decimals(amount)
        fits: NDArray[np.bool_] = (written <= allowed) | (needed <= allowed)
        return fits


def _each(column: Any, work: Callable[[str], object], kind: Any = None) -> Any:
    """Every value as `work` makes it, which is asked once for each different one."""
    coded = column.dictionary_encode()
    made = pa.array([work(value) for value in coded.dictionary.to_pylist()], kind or pa.string())
    return made.take(coded.indices)


def _stripped(column: Any) -> Any:
    return pc.ascii_trim(column, " ")  # the only blank among the printable


def _unless_blank(column: Any) -> Any:
    return pc.if_else(pc.equal(pc.binary_length(column), 0), pa.scalar(None, pa.string()), column)


def _true(column: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = column.to_numpy(zero_copy_only=False)
    return found


def _letters(column: Any) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all texts of a column, and where each begins, and the last ends."""
    _, offsets, data = column.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32)[column.offset : column.offset + len(column) + 1]
    whole = np.frombuffer(data or b"", dtype=np.uint8)[starts[0] : starts[-1]]
    return whole, starts - starts[0]


def _comparable(reference: Any) -> Any:
    """What `records.comparable` makes of ASCII texts; an empty text where nothing is left."""
    if not len(reference):
        return reference
    letters, starts = _letters(reference)
    kept = _KEPT[letters]
    before = np.zeros(len(letters) + 1, dtype=np.int32)
    np.cumsum(kept, out=before[1:])
    return pc.if_else(
        reference.is_valid(),
        pa.StringArray.from_buffers(
            len(reference), pa.py_buffer(before[starts]), pa.py_buffer(_LOWER[letters[kept]])
        ),
        reference,
    )


def _decimals(amounts: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many decimals each amount is written with, of the two at most, and how many it needs."""
    letters, starts = _letters(amounts)
    ends = starts[1:].astype(np.int64)
    point = pc.find_substring(amounts, ".").to_numpy().astype(np.int64)
    written = np.where(point < 0, 0, np.diff(starts) - point - 1)
    zero = ord("0")
    last = letters[ends - 1] == zero
    both = last & (letters[np.maximum(ends - 2, 0)] == zero)
    return written, written - np.where(written > 0, last, 0) - np.where(written > 1, both, 0)


def _escaped(text: str) -> str:
    for letter, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(letter, written)
    return text
