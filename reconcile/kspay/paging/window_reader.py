"""Reads one window until a proof of completeness holds, whatever the server does with `page`, `limit` and the order.

`facts` says what is known, `proofs` when a window is complete. docs/paging-proof.md explains both.
"""

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Protocol

from reconcile.core.records import RawRow
from reconcile.kspay.errors import IncompleteError
from reconcile.kspay.paging import proofs
from reconcile.kspay.paging.cut_pages import lacks_rows
from reconcile.kspay.paging.date_filter import DayBorder, WindowTimes
from reconcile.kspay.paging.end_probe import EndProbe
from reconcile.kspay.paging.facts import Comparison, DateFilter, Facts, Reading, ServerFacts
from reconcile.kspay.paging.page_source import PageSource
from reconcile.kspay.paging.seen_rows import MOST_READINGS, SeenRows
from reconcile.kspay.paging.windows import Window, WindowRecord

MAX_READINGS = 60
"""Readings of one window before it is given up. Of rows in random order each misses about a third."""
assert MAX_READINGS + 1 <= MOST_READINGS

MAX_PAGES_WITHOUT_NEWS = 50
"""Number of pages in a row that only repeat rows of the same reading, which are no listing, or lie beyond its end."""

PAGES_IN_ORDER = 50
"""Number of pages that are asked for one after the other once rows were seen to move."""

PAGES_WORTH_A_PROBE = 20
"""A second reading of fewer pages costs hardly more than to find out what the range filters (`DayBorder`)."""


@dataclass(frozen=True, slots=True)
class NewRows:
    """The rows of one answer that are new or have new content. In a further reading there are often none."""

    rows: list[RawRow]
    page: int
    reading: int
    rows_of_reading: int
    """Rows that this reading was answered with, up to and with this answer."""
    rows_expected: int
    """Rows of the longest reading before; 0 in the first reading."""


class _Aim(Enum):
    """How completeness is to be proven, after the first reading."""

    COUNT = "rows cannot leave the window: as many rows are known as its length says"
    AGREEMENT = "rows may leave the window: whole readings agree"
    SILENCE = "no page shows where the listing ends: many readings show nothing new"


class Server(Protocol):
    """The server: what is known about it, and how more is found out. A probe notes in `facts` what it saw."""

    facts: ServerFacts

    def probe_day(self, created_on: date, /) -> None:
        """Ask for the days around the creation of a record that changed days later."""

    def probe_border(self, border: DayBorder, limit: int, pages: int, /) -> None:
        """Ask for the beginning of one day; `pages` are those of the whole window."""


class WindowReader:
    """Reads one window, at first up to `concurrency` pages at once.

    `read` yields what is new. When it has ended, `record` says how the window was read.
    """

    def __init__(self, window: Window, source: PageSource, concurrency: int, server: Server) -> None:
        self._window = window
        self._source = source
        self._concurrency = concurrency
        self._server = server
        self._known = server.facts
        self._end_probe = EndProbe(self._source)
        self._times = WindowTimes(window, server.facts)
        self._seen = SeenRows()
        self.first_answer = 0, 0
        """Rows of the first answer, the only one with the limit as given, and how many of them differ."""
        self._last_page = 0  # as it was seen last
        self._length = 0  # see Facts.length
        self._is_end_unknown = False  # pages beyond the end show rows, and none of them shows where it is
        self._last_keys: tuple[int, list[int]] = 0, []  # of the last page that was not empty, and its number
        self._marks: list[int] = []  # fingerprints of the rows of the last answer
        self._total: int | None = None
        self._readings = 0
        self._reading = Reading()
        self._longest = 0  # rows of the longest reading before the present one
        self._digest: bytes | None = None  # of the reading before; None: it was not whole, or does not count
        self._comparison = Comparison()
        self._steady_length: int | None = (
            None  # the length since which nothing has changed; None: not yet known
        )
        self._is_steady = False
        self._were_pages_cut = False
        self._proof = ""

    @property
    def has_answer(self) -> bool:
        """Whether the server has answered with any page."""
        return self._source.answers > 0

    @property
    def record(self) -> WindowRecord:
        """How the window was read; complete only once `read` has ended."""
        return WindowRecord(
            self._window,
            self._source.answers,
            self._source.rows,
            len(self._seen),
            self._readings,
            self._times.first_at,
            self._times.last_at,
            self._total,
            self._proof,
            self._times.latest_clock,
        )

    def read(self) -> Iterator[NewRows]:
        """Every row of the window, each content once, and every answer of a further reading.

        Raises IncompleteError where it cannot be proven that this is every row.
        """
        try:
            yield from self._read_until_proven()
        finally:
            self._source.drop()

    def _read_until_proven(self) -> Iterator[NewRows]:
        yield from self._read_pages()
        if self._proven(proofs.BY_ONE_ANSWER):
            return
        self._find_date_filter()
        aim = self._first_aim()
        while True:
            if aim is _Aim.COUNT:
                yield from self._measure()
                if self._is_end_unknown:
                    aim, self._digest = _Aim.SILENCE, None
                elif self._proven(proofs.BY_COUNT):
                    return
            stopped = yield from self._read_pages(self._is_counted if aim is _Aim.COUNT else None)
            digest = None if stopped else self._reading.digest.digest()
            is_equal = digest is not None and digest == self._digest
            self._digest = digest
            if aim is _Aim.SILENCE and is_equal:
                raise self._endless(self._last_page)  # no row is in a new order: it goes round in circles
            if self._proven(proofs.BY_ONE_ANSWER):
                return
            if aim is _Aim.SILENCE:
                self._ends_at(0, 0)
            is_quiet = not (stopped or self._seen.new or self._seen.changed)
            self._comparison.add(is_equal=is_equal, is_quiet=is_quiet, length=self._length)
            if aim is _Aim.AGREEMENT:
                if not self._known.rows_may_leave:
                    aim, self._is_steady = _Aim.COUNT, False
                else:
                    self._note_steadiness()
            if self._proven(proofs.BY_READINGS):
                return

    # Proofs.

    def _first_aim(self) -> _Aim:
        if self._is_end_unknown:
            return _Aim.SILENCE
        self._digest = self._reading.digest.digest()
        if not self._known.rows_may_leave:
            return _Aim.COUNT
        if self._concurrency == 1:
            self._steady_length = self._length
        self._seen.start_steady_count()
        return _Aim.AGREEMENT

    def _proven(self, candidates: Iterable[proofs.Proof]) -> bool:
        """Whether one of these proofs holds, and no page of the last reading lacks rows."""
        facts = self._facts()
        proof = proofs.first_that_holds(candidates, facts)
        # Where there is only one answer, no page shows whether it was cut: see `window_splitter`.
        if proof and (proofs.only_answer(facts) or not self._may_lack_rows()):
            self._proof = proof
        return bool(self._proof)

    def _facts(self) -> Facts:
        return Facts(
            distinct=len(self._seen),
            length=self._length,
            rows_may_leave=self._known.rows_may_leave,
            empty_page=self._reading.empty_page,
            first_page_is_all=self._reading.first_page_is_all,
            repeats=self._reading.repeats,
            equal_readings=self._comparison.equal,
            quiet_readings=self._comparison.quiet,
            steady_distinct=self._seen.steady if self._is_steady else None,
        )

    def _is_counted(self) -> bool:
        return proofs.counted(self._facts())

    def _find_date_filter(self) -> None:
        """Ask for days that show what the date range filters, where that is worth it."""
        if self._known.date_filter is DateFilter.UNDECIDED and self._times.day_to_probe is not None:
            self._server.probe_day(self._times.day_to_probe)
        if self._known.date_filter is DateFilter.UNDECIDED and self._last_page >= PAGES_WORTH_A_PROBE:
            self._server.probe_border(self._times.border, self._source.limit, self._last_page)

    def _note_steadiness(self) -> None:
        """Whether this reading and those since `_steady_length` was set, in order, show nothing but one state.

        Only readings without prefetching that began and ended with the same length count: what an earlier one showed
        may have left since. A window does not gain and lose rows at once: what changes now leaves all past days,
        and arrives only in a window that holds today.
        """
        self._concurrency = 1
        self._is_steady = not (
            self._seen.changed or self._length != self._steady_length or self._seen.steady > self._length
        )
        if not self._is_steady:
            self._steady_length = self._length
            self._seen.start_steady_count()

    def _may_lack_rows(self) -> bool:
        """Whether a page of the last reading lacks rows that no other page holds, or the last page has changed.

        Where a page lacks rows, smaller pages are asked for from now on.
        """
        if self._reading.pages_are_cut:
            return True
        # Where rows cannot leave and as many were seen as the listing has places, only its end is in doubt.
        is_end_left = self._is_counted() and not self._known.rows_may_leave
        gaps = [] if is_end_left else self._reading.gaps
        is_last_page_short = self._length % self._source.limit > 0
        for number in [*gaps, *([self._last_page] if is_last_page_short else [])]:
            lacks_rows = self._lacks_rows(number)
            if lacks_rows:
                self._ask_for_smaller_pages()
            if lacks_rows or lacks_rows is None:
                return True
        return False

    def _ask_for_smaller_pages(self) -> None:
        self._reading.pages_are_cut = self._were_pages_cut = True
        self._source.limit = max(1, self._source.limit // 2)
        self._last_page = max(1, self._length // self._source.limit)
        self._comparison.restart()

    def _lacks_rows(self, number: int) -> bool | None:
        last, keys = self._last_keys
        if last != number:
            keys = self._source.keys(number)
        is_last = number == self._last_page
        may_leave = self._known.rows_may_leave
        return lacks_rows(self._source, self._seen, number, keys, is_last=is_last, rows_may_leave=may_leave)

    # One reading.

    def _read_pages(self, enough: Callable[[], bool] | None = None) -> Generator[NewRows, None, bool]:
        """Read from the first page on to the end. The result is True if it stopped before, being `enough`."""
        self._start_reading()
        reading = self._reading
        number, rows_before = 1, 0
        while True:
            distinct_before = self._seen.distinct
            depth = self._depth(number)
            keys = yield from self._page(number, depth)
            reading.repeats += len(keys) - (self._seen.distinct - distinct_before)
            reading.digest.update(array("q", self._marks))
            if number == 1:
                self._note_first_page(keys)
            if not reading.first_short_page and len(keys) < self._source.limit:
                reading.first_short_page = number
            if not keys:
                self._ends_at(number - 1, rows_before)
                reading.empty_page = number
                if number == 1 and self._seen and self._were_pages_cut:
                    raise self._unplaced()
                return False
            if 0 < rows_before < self._source.limit:
                reading.gaps.append(number - 1)
            if number > 1:
                self._find_whether_page_is_ignored(keys)
            if self._known.page_ignored:
                reading.first_page_is_all = True
                return False
            if enough is not None and enough():
                return True
            if number == 1 or self._seen.distinct > distinct_before:
                reading.pages_without_news = 0
            elif self._is_the_end(number, keys):
                if self._last_page < number:
                    reading.repeats -= len(keys)  # this page is no part of the listing
                return False
            if depth > 1 and self._seen.distinct < distinct_before + len(keys):
                yield from self._read_in_order_again(number, depth)
            number, rows_before = number + 1, len(keys)

    def _start_reading(self) -> None:
        self._readings += 1
        if self._readings > MAX_READINGS:
            raise IncompleteError(
                f"GET /transaction {self._window}",
                200,
                message=f"the listing kept changing through {MAX_READINGS} readings: "
                f"{len(self._seen)} different transactions seen, {self._length} listed",
            )
        self._source.drop()
        self._seen.begin_reading()
        self._longest = max(self._longest, self._reading.rows)
        self._reading = Reading()

    def _depth(self, number: int) -> int:
        """How many pages may be asked for at once: more and more, so that few lie beyond the end."""
        if number <= self._reading.in_order_to:
            return 1
        return min(self._concurrency, number - 1)

    def _read_in_order_again(self, number: int, depth: int) -> Iterator[NewRows]:
        """Rows are moving: ask again for the pages around this one that may have been answered out of order."""
        self._reading.in_order_to = number + PAGES_IN_ORDER
        for page in range(max(2, number - depth + 1), number + 1):
            yield from self._page(page)

    def _note_first_page(self, keys: list[int]) -> None:
        self._reading.first_page = set(keys)
        if self._readings > 1:
            return
        self.first_answer = len(keys), len(set(keys))
        # A server that caps the limit silently may still count the pages by what was asked for, and one
        # that gives more than was asked for too. If it is asked for what it gives, both count alike.
        if keys:
            self._source.limit = len(keys)

    def _ends_at(self, page: int, rows: int) -> None:
        """The last page that holds rows, and how many; 0 and 0: none does, or it is not known."""
        self._last_page = page
        self._length = (page - 1) * self._source.limit + rows if page else 0

    def _find_whether_page_is_ignored(self, keys: list[int]) -> None:
        """Look far beyond the end, once a page shows a row of the first page again."""
        first = self._reading.first_page
        if self._known.page_ignored is None and not first.isdisjoint(keys):
            self._known.page_ignored = self._end_probe.is_page_ignored(first, self.first_answer[0])

    def _is_the_end(self, number: int, keys: list[int]) -> bool:
        """Whether a page that only repeats rows is what this server gives for every page from here on."""
        reading = self._reading
        reading.pages_without_news += 1
        if reading.pages_without_news > MAX_PAGES_WITHOUT_NEWS:
            if self._end_probe.is_empty:
                raise self._endless(number)
            self._is_end_unknown = True
            self._ends_at(0, 0)  # the length of the reading before says nothing of this one
            return True
        if self._end_probe.is_empty:
            return False
        far = self._end_probe.far_keys()
        if not far:
            return False
        if len(keys) == len(far) < self._source.limit:
            # It is the last page, or that page again, its rows perhaps in a new order.
            self._ends_at(reading.first_short_page, len(keys))
            return True
        if not self._end_probe.is_always(keys):
            return False
        reading.first_page_is_all = reading.first_page.issubset(keys)
        self._ends_at(number - 1, len(far))
        return True

    def _measure(self) -> Iterator[NewRows]:
        """Ask for the last page again, and for any after it: the length of the listing now."""
        number, before = max(1, self._last_page), set[int]()
        pages_without_news = 0
        while True:
            distinct_before = len(self._seen)
            keys = yield from self._page(number)
            pages_without_news = pages_without_news + 1 if len(self._seen) == distinct_before else 0
            if pages_without_news > MAX_PAGES_WITHOUT_NEWS:
                if self._end_probe.is_empty:
                    raise self._endless(number)
                self._is_end_unknown = True
                return
            if not keys or (set(keys) == before and self._end_probe.is_always(keys)):
                self._ends_at(number - 1, self._source.limit if number > 1 else 0)
                return
            if len(keys) < self._source.limit:
                self._ends_at(number, len(keys))
                return
            number, before = number + 1, set(keys)

    def _page(self, number: int, depth: int = 1) -> Generator[NewRows, None, list[int]]:
        """Read one page: yields what is new, gives back the keys of all its rows."""
        answer = self._source.page(number, depth)
        self._total = answer.total if answer.total is not None else self._total
        self._marks = answer.marks
        keys = answer.keys
        places = self._seen.add(keys, self._marks)
        fresh: list[RawRow] = []
        if places:
            rows = answer.rows
            fresh = rows if len(places) == len(keys) else [rows[place] for place in places]
        if keys:
            self._last_keys = number, keys
        self._reading.rows += len(keys)
        if fresh:
            self._times.add(fresh, in_first_reading=self._readings == 1)
        if fresh or self._readings > 1:
            yield NewRows(fresh, number, self._readings, self._reading.rows, self._longest)
        return keys

    def _endless(self, number: int) -> IncompleteError:
        return IncompleteError(
            f"GET /transaction {self._window} page {number}",
            200,
            message=f"{MAX_PAGES_WITHOUT_NEWS} pages in a row held nothing but what earlier pages held",
        )

    def _unplaced(self) -> IncompleteError:
        return IncompleteError(
            f"GET /transaction {self._window} page 1",
            200,
            message=f"the page is empty, but {len(self._seen)} transactions are known: larger pages were cut "
            "short, and this smaller one holds none",
        )
