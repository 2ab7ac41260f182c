"""What is known about a window and its server while the window is read. Plain data: nothing here sends a request."""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any


class DateFilter(StrEnum):
    """Which time of a transaction the server's date range filters, as far as rows have shown it."""

    UNDECIDED = "undecided"
    CREATED = "createdAt"
    UPDATED = "updatedAt"


@dataclass(slots=True)
class ServerFacts:
    """What answers have shown about the server. All windows of a client share it."""

    date_filter: DateFilter = DateFilter.UNDECIDED
    page_ignored: bool | None = None
    """Whether the server answers every `page` with the first one; None: not seen yet."""

    @property
    def rows_may_leave(self) -> bool:
        """Whether a row may leave a window while it is read: always, unless the range filters `createdAt`."""
        return self.date_filter is not DateFilter.CREATED


@dataclass(slots=True)
class Reading:
    """What one reading has shown: the pages of a window, asked for from the first one on."""

    rows: int = 0
    """Rows in all its answers, those that came twice included."""
    digest: Any = field(default_factory=lambda: blake2b(digest_size=16))
    """A hash of the content and the order of its rows: equal for equal readings."""
    first_page: set[int] = field(default_factory=set)
    """The keys of the rows of page 1."""
    repeats: int = 0
    """Rows that it had shown before."""
    pages_without_news: int = 0
    """Pages in a row that showed only rows that the reading had shown before."""
    first_short_page: int = 0
    """The first page with fewer rows than the limit; 0: none yet."""
    gaps: list[int] = field(default_factory=list)
    """The pages before the last one with fewer rows than the limit."""
    empty_page: int = 0
    """The page without rows at which the reading ended; 0: it did not end so."""
    first_page_is_all: bool = False
    """Whether the server gives the first page for every `page`."""
    pages_are_cut: bool = False
    """Whether a page lacks rows that no other page holds."""
    in_order_to: int = 1
    """Up to this page no page is asked for before the one in front of it is answered."""


@dataclass(slots=True)
class Comparison:
    """How the readings of a window compare with each other."""

    equal: int = 1
    """Readings in a row that showed the same rows in the same order."""
    quiet: int = 0
    """Readings in a row, all of one length, after the last one that showed something new."""
    _length: int = -1

    def add(self, *, is_equal: bool, is_quiet: bool, length: int) -> None:
        """Add a reading: whether it equals the one before, and whether it showed nothing new."""
        self.equal = self.equal + 1 if is_equal else 1
        self.quiet = self.quiet + 1 if is_quiet and length == self._length else 1
        self._length = length

    def restart(self) -> None:
        """Forget the readings so far: the next ones have pages of another size."""
        self.equal, self.quiet = 1, 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a proof may look at, at one moment: a reading has ended, or the length was just measured."""

    distinct: int
    """Different rows seen in this window, in all readings."""
    length: int
    """Rows that the window held when its end was seen last: (last page - 1) x limit + rows of the last page."""
    rows_may_leave: bool
    """See `ServerFacts.rows_may_leave`."""
    empty_page: int
    """See `Reading.empty_page`."""
    first_page_is_all: bool
    """See `Reading.first_page_is_all`."""
    repeats: int
    """See `Reading.repeats`."""
    equal_readings: int
    """See `Comparison.equal`."""
    quiet_readings: int
    """See `Comparison.quiet`."""
    steady_distinct: int | None
    """Different rows seen since the window began to be steady (see `proofs.settled`); None: it is not steady."""
