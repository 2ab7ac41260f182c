"""Finds amounts that lost their quotes: `1,250.00` in a file with commas between cells is cut into `1` and `250.00`.

Such a row is only noticed by its number of cells where that is too large; where its last cell is missing, it fits.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyarrow import compute as pc

from reconcile.ledger.blocks import Block, match_whole
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.header import Header
from reconcile.ledger.profile import IN, OUT, Profile
from reconcile.ledger.table import Cell, Table

_SHORT = re.compile(r"[^\d.,]*\d{1,3}", re.ASCII)
_MOST_DIGITS = 4
"""Letters of the shortest amounts that may be the head of another: three digits and a minus."""
_NUMBER = r"-?\d[\d.]*"
_TYPICAL = 3
"""Three digits beside the amount are suspicious only if this many times as many rows have a text there."""


class CutAmounts:
    """Looks at the cells on the right of the amounts."""

    def __init__(self, table: Table, header: Header, profile: Profile) -> None:
        places = [place for name in ("amount", IN, OUT) if (place := header.place(name)) is not None]
        self._amount = max(places, default=-1)
        self._next = self._amount + 1
        self._suspicious: dict[int, bool] = {}
        """By row whether what stands on the right has decimals."""
        self._texts = 0
        tail = r"\d{2}" if profile.decimal == "," else r"\d{3}(?:\.\d{1,2})?"
        self._tail = re.compile(tail, re.ASCII)
        self._looks = (
            isinstance(table, DelimitedTable)
            and table.delimiter == ","
            and bool(places)
            and self._next < len(header.names)
            and header.names[self._next] not in ("date", "currency")
        )
        self.name = header.names[self._next] if self._looks else None
        """The column on the right; None where there is nothing to look at."""

    def see(self, number: int, cells: Sequence[Cell]) -> None:
        """Take one row into account."""
        if not self._looks:
            return
        amount, tail = cells[self._amount], cells[self._next]
        assert isinstance(amount, str)
        assert isinstance(tail, str)
        if self._tail.fullmatch(tail) and _SHORT.fullmatch(amount):
            self._suspicious[number] = "." in tail
        elif re.fullmatch(_NUMBER, tail, re.ASCII):
            self._looks = False  # it is a column of numbers
        elif tail:
            self._texts += 1

    def apart(self, block: Block, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of the rows that must be seen one by one; all others are taken into account."""
        none = np.zeros(len(rows), dtype=bool)
        if not self._looks or self.name is None:
            return none
        numbers = rows & match_whole(block.cells[self.name], _NUMBER)
        if numbers.any():
            short = pc.less_equal(pc.binary_length(block.cells["amount"]), _MOST_DIGITS)
            none |= numbers & short.to_numpy(zero_copy_only=False)
            if (numbers & ~none).any():
                self._looks = False
                return none & False
        filled = pc.binary_length(block.cells[self.name]).to_numpy() > 0
        self._texts += int((rows & filled & ~numbers).sum())
        return none

    @property
    def rows(self) -> frozenset[int]:
        """The rows whose amount was cut."""
        if not self._looks:
            return frozenset()
        few = _TYPICAL * len(self._suspicious) <= self._texts
        return frozenset(row for row, decimals in self._suspicious.items() if decimals or few)


def mark(block: Block, cut: frozenset[int]) -> None:
    """Leave the rows of a block whose amount was cut to the careful reader."""
    last = block.first + len(block.usual)
    at = [row - block.first for row in cut if block.first <= row < last]
    block.usual[np.array(at, dtype=np.intp)] = False
