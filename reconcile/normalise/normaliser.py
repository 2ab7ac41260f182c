"""What every normaliser takes and gives. Each side of the books has two of them:

    careful   transactions.py        entries.py        one row at a time; every row becomes a record or a rejection
    bulk      transactions_bulk.py   entries_bulk.py   thousands of rows at once, if they are in the usual form

A bulk normaliser leaves each row that it is not certain of to the careful one of its side. What it types, the
careful one types to the same: tests/integration/normalise/test_parity.py feeds both the same rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from reconcile.core.records import Entry, RawRow, Rejection, Transaction

Record = TypeVar("Record", bound=Transaction | Entry)
Rows = TypeVar("Rows", contravariant=True)


def _nothing() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Normalised(Generic[Record]):
    """What a normaliser made of some rows. Each row is in exactly one of `records`, `rejections`, `lines`, `rest`."""

    records: Sequence[Record] = ()
    """Typed one by one."""
    raw: Sequence[RawRow] = ()
    """The row that each of `records` was."""
    rejections: Sequence[Rejection] = ()
    """Rows that cannot be typed."""
    lines: Callable[[], bytes | memoryview] = _nothing
    """Records typed in bulk, as COPY reads them in its text format: a line each, without a line break at the end."""
    count: int = 0
    """How many records `lines` has."""
    rest: Sequence[RawRow] = ()
    """Rows for the careful normaliser."""

    @classmethod
    def one_by_one(cls, rows: Sequence[RawRow], typed: Iterable[Record | Rejection]) -> "Normalised[Record]":
        """Of rows that were typed one for one."""
        records, raw, rejections = [], [], []
        for row, made in zip(rows, typed, strict=True):
            if isinstance(made, Rejection):
                rejections.append(made)
            else:
                records.append(made)
                raw.append(row)
        return cls(records=records, raw=raw, rejections=rejections)


class Normaliser(Protocol[Rows, Record]):
    """Types rows of one side of the books. Pure: the same rows give the same."""

    def __call__(self, rows: Rows, /) -> Normalised[Record]: ...
