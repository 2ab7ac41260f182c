"""Which rows of a window are known, in which form, and which of its readings saw each last.

A known row costs two numbers: 60 bits of its id's hash, and a hash of its content with the number of the
reading that saw it last. Python's hash of text is keyed anew in each process. Two ids of one hash
would be counted as one: the window would be refused, never thought complete.

In a dictionary the two take 100 bytes, so only the newest rows are kept in one; the others stand in sorted
arrays, 16 bytes each.
"""

import numpy

from reconcile.core.records import RawRow
from reconcile.kspay.paging.listing import row_id

# A known row's content hash and the number of the reading that saw it last share one int.
_READING_BITS = 6
_MARK_BITS = 54
_READING = (1 << _READING_BITS) - 1
_MARK = (1 << _MARK_BITS) - 1
_KEY = (1 << 60) - 1

_NEWEST = 100_000
"""So many rows are kept in the dictionary before they go to the others."""

MOST_READINGS = _READING
"""Readings whose numbers can be told apart."""


def keys_of(rows: list[RawRow], marks: list[int]) -> list[int]:
    """By these rows are known: by their ids, or where they have none by their contents, `marks`."""
    return [
        (mark if (identity := row_id(row)) is None else hash(identity)) & _KEY
        for row, mark in zip(rows, marks, strict=True)
    ]


class KnownRows:
    """The rows that were seen up to now."""

    def __init__(self) -> None:
        # key → hash of the newest version seen, and its last reading
        self._newest: dict[int, int] = {}
        self._keys = numpy.empty(0, numpy.int64)  # of the others, in rising order …
        self._seen = numpy.empty(0, numpy.int64)  # … and what the dictionary would hold of them
        self._reading = 0
        self._together_from = 0
        self.together = 0
        """Different rows seen since they are counted together."""
        self.distinct = 0
        """Different rows that the present reading has shown."""
        self.new = 0
        """Those of them that no reading saw before."""
        self.changed = False
        """Whether the present reading showed a known row in another form."""

    def __len__(self) -> int:
        return len(self._newest) + len(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._newest or self._place(key) >= 0

    def begin_reading(self) -> None:
        """Whatever is noted from now on was seen by the next reading."""
        self._reading += 1
        self.distinct = self.new = 0
        self.changed = False

    def count_together(self) -> None:
        """Count the different rows that are seen from the next reading on."""
        self._together_from, self.together = self._reading + 1, 0

    def note(self, rows: list[RawRow], keys: list[int], marks: list[int]) -> list[RawRow]:
        """Note that the present reading saw these rows; those that were not known in this form."""
        if self._are_all_new(keys, marks):
            return rows
        marked = zip(rows, keys, marks, strict=True)
        return [row for row, key, mark in marked if self._is_new(key, mark & _MARK)]

    def _are_all_new(self, keys: list[int], marks: list[int]) -> bool:
        """Whether none was known in any form; then note them all, which is soon done."""
        different = set(keys)
        if len(different) < len(keys) or not self._newest.keys().isdisjoint(different):
            return False
        if len(self._keys):
            wanted = numpy.fromiter(keys, numpy.int64, len(keys))
            places = numpy.minimum(self._keys.searchsorted(wanted), len(self._keys) - 1)
            if (self._keys[places] == wanted).any():
                return False
        seen = [(mark & _MARK) << _READING_BITS | self._reading for mark in marks]
        self._newest.update(zip(keys, seen, strict=True))
        self._put_away()
        self.distinct += len(keys)
        self.new += len(keys)
        if self._together_from:
            self.together += len(keys)
        return True

    def _is_new(self, key: int, mark: int) -> bool:
        """Note that a row was seen; whether it was not known in this form."""
        place = -1
        before = self._newest.get(key)
        if before is None and (place := self._place(key)) >= 0:
            before = int(self._seen[place])
        seen = 0 if before is None else before & _READING
        if seen < self._reading:
            self.distinct += 1
            if seen < self._together_from:
                self.together += 1
        elif before == mark << _READING_BITS | seen:
            return False
        if place >= 0:
            self._seen[place] = mark << _READING_BITS | self._reading
        else:
            self._newest[key] = mark << _READING_BITS | self._reading
            self._put_away()
        if before is None:
            self.new += 1
            return True
        if before >> _READING_BITS == mark:
            return False
        self.changed = True
        return True

    def _place(self, key: int) -> int:
        """Where this key stands in the arrays; -1 where it does not."""
        place = int(self._keys.searchsorted(key))
        return place if place < len(self._keys) and self._keys[place] == key else -1

    def _put_away(self) -> None:
        """Empty the dictionary into the arrays once it is full."""
        if len(self._newest) < _NEWEST:
            return
        count = len(self._newest)
        keys = numpy.concatenate([self._keys, numpy.fromiter(self._newest.keys(), numpy.int64, count)])
        seen = numpy.concatenate([self._seen, numpy.fromiter(self._newest.values(), numpy.int64, count)])
        self._newest.clear()
        order = keys.argsort(kind="stable")
        self._keys, self._seen = keys[order], seen[order]
