"""Which rows of a window were seen, with which content, and which of its readings saw each of them last.

A row costs two numbers: its key, which is 60 bits of its id's hash, and a mark, which is a hash of its content. The
mark is stored together with the number of the reading that saw the row last. Python hashes text with another key in
each process. Two ids with the same hash would be counted as one: the window would then be refused, and never be
taken for complete.

In a dictionary the two numbers take 100 bytes, so only the newest rows are kept in one. The others stand in sorted
arrays, 16 bytes a row.
"""

from collections.abc import Sequence

import numpy

# The mark of a row and the number of the reading that saw it last share one int.
_READING_BITS = 6
_MARK_BITS = 54
_READING = (1 << _READING_BITS) - 1
_MARK = (1 << _MARK_BITS) - 1

_NEWEST = 100_000
"""Number of rows that are kept in the dictionary before they go to the arrays."""

MOST_READINGS = _READING
"""Number of readings whose numbers can be distinguished."""


class SeenRows:
    """The rows seen up to now. `len` is how many differ; `key in` tells whether one was seen."""

    def __init__(self) -> None:
        # key → mark of the newest content seen, and the last reading
        self._newest: dict[int, int] = {}
        self._keys = numpy.empty(0, numpy.int64)  # of the other rows, in rising order …
        self._seen = numpy.empty(0, numpy.int64)  # … and what the dictionary would hold of them
        self._reading = 0
        self._steady_from = 0
        self.steady = 0
        """Different rows seen since `start_steady_count`."""
        self.distinct = 0
        """Different rows that the present reading has shown."""
        self.new = 0
        """Those of them that no reading showed before."""
        self.changed = False
        """Whether the present reading showed a row whose content had changed."""

    def __len__(self) -> int:
        return len(self._newest) + len(self._keys)

    def __contains__(self, key: int) -> bool:
        return key in self._newest or self._place(key) >= 0

    def begin_reading(self) -> None:
        """Whatever is added from now on was seen by the next reading."""
        self._reading += 1
        self._empty_dictionary()  # whole pages are looked up in the arrays at once
        self.distinct = self.new = 0
        self.changed = False

    def start_steady_count(self) -> None:
        """Count in `steady` the different rows that are seen from the next reading on."""
        self._steady_from, self.steady = self._reading + 1, 0

    def add(self, keys: list[int], marks: list[int]) -> Sequence[int]:
        """Add the rows that the present reading saw. The result is the places of those with new id or content."""
        if self._add_if_all_new(keys, marks):
            return range(len(keys))
        if self._add_if_all_known(keys, marks):
            return ()
        marked = enumerate(zip(keys, marks, strict=True))
        return [place for place, (key, mark) in marked if self._add_one(key, mark & _MARK)]

    def _add_if_all_known(self, keys: list[int], marks: list[int]) -> bool:
        """If earlier readings saw all of them as they are, and this one none, add them; False if not."""
        if len(set(keys)) < len(keys) or not len(self._keys):
            return False
        wanted = numpy.fromiter(keys, numpy.int64, len(keys))
        places = numpy.minimum(self._keys.searchsorted(wanted), len(self._keys) - 1)
        seen = self._seen[places]
        readings = seen & _READING
        same = (
            numpy.fromiter((mark & _MARK for mark in marks), numpy.int64, len(marks)) == seen >> _READING_BITS
        )
        if not (same & (self._keys[places] == wanted) & (readings < self._reading)).all():
            return False
        self._seen[places] = seen - readings + self._reading
        self.distinct += len(keys)
        self.steady += int((readings < self._steady_from).sum())
        return True

    def _add_if_all_new(self, keys: list[int], marks: list[int]) -> bool:
        """If none of them was seen before, add them all, which is quick; False if any was."""
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
        self._empty_full_dictionary()
        self.distinct += len(keys)
        self.new += len(keys)
        if self._steady_from:
            self.steady += len(keys)
        return True

    def _add_one(self, key: int, mark: int) -> bool:
        """Add one row; whether it is new or has new content."""
        place = -1
        before = self._newest.get(key)
        if before is None and (place := self._place(key)) >= 0:
            before = int(self._seen[place])
        seen = 0 if before is None else before & _READING
        if seen < self._reading:
            self.distinct += 1
            if seen < self._steady_from:
                self.steady += 1
        elif before == mark << _READING_BITS | seen:
            return False
        if place >= 0:
            self._seen[place] = mark << _READING_BITS | self._reading
        else:
            self._newest[key] = mark << _READING_BITS | self._reading
            self._empty_full_dictionary()
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

    def _empty_full_dictionary(self) -> None:
        """Move the rows of the dictionary to the arrays once it is full."""
        if len(self._newest) >= _NEWEST:
            self._empty_dictionary()

    def _empty_dictionary(self) -> None:
        if not self._newest:
            return
        count = len(self._newest)
        keys = numpy.fromiter(self._newest.keys(), numpy.int64, count)
        seen = numpy.fromiter(self._newest.values(), numpy.int64, count)
        self._newest.clear()
        order = keys.argsort(kind="stable")
        keys = keys[order]
        places = self._keys.searchsorted(keys)
        # One array after the other: only one of them is there twice for a moment.
        self._keys = numpy.insert(self._keys, places, keys)
        self._seen = numpy.insert(self._seen, places, seen[order])
