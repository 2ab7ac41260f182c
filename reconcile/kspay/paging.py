"""Reading one window to its provable end, whatever the server does with `page`, `limit` and the order.

The guide says nothing about any of them, and while pages are read, payments arrive and change, so that
rows move from page to page: some come twice, some are skipped. What holds under every order is this:

- A page beyond the last is empty, so the last page that is not tells, at that one moment, how many
  rows the window holds: (page - 1) x page size + its rows.
- Rows do not leave a window whose range filters `createdAt`. So when as many different ids are known
  as the window holds at that moment, all are known. Where rows came in random order (many of one
  instant), or were skipped, the window is read again, only until the count is reached.
- Rows may leave a window whose range filters `updatedAt`, and then a count can deceive. Unless the
  rows show that it is `createdAt`, the window is read until two whole readings agree.
- One answer is one moment: an empty first page proves an empty window, and where rows cannot leave, a
  window that fits into one page is complete. Of a server that ignores `page` one answer is all that can be
  had of a window: whether it was cut, only other windows tell (`narrowing`).
- Two whole readings in a row that show the same rows in the same order, none of them twice, agree. A
  reading that shows a row twice may have missed another one: of two rows of one instant on the border of
  two pages, in a new order at each request, the same one comes twice in every fourth reading. Only
  `EQUAL_IF_REPEATED` equal readings prove that it is the server itself that repeats rows.

- A listing that repeats rows *and* orders them anew never reads twice the same, and its length counts the
  repeated ones. There `QUIET_READINGS` without anything new, all of one length, prove that nothing is missing.

If none of these holds after `MAX_PASSES` readings, the window is refused: never a part for the whole.

Pages are asked for ahead of their turn, several at once, so that within one reading they may be answered
in any order. Nothing above depends on that order:

- Counting. The length is measured by requests made one after the other, after every answer that was
  taken: whatever is known was listed by then, and where rows cannot leave it still is. So as many known
  ids as that length are all of them, in whatever order they came to be known. A row that slipped through
  between two answers, or stood in one that was dropped, is not known, and then the count is too small.
- Two equal readings. The second begins when all answers of the first are in. A page that is the same at
  both times was so in between, and as these spans all hold the moment between the readings, the pages
  together are the listing at that moment. The order within each reading plays no part.
- An empty or single page. The first page of a reading is always asked for alone, before any other.
- Several readings taken together (`SETTLED`) need a length that was measured after their last answer:
  only readings in order, without asking ahead, count there.
- Looking for the end of a listing that ignores `page` (`_is_the_end`) asks anew, after what it compares.

What asking ahead can cost is a further reading: when rows move towards the end (newest first, and a
payment arrives), a row may leave a page not yet answered for one that was answered before. Then pages
repeat rows soon after, no further apart than pages are asked ahead. At the first page that repeats one,
those asked ahead are asked for again, one after the other, and the next `CALM_PAGES` in order too.

A known row costs two ints: 60 bits of its id's hash, and a hash of its content with the number of the
reading that saw it last. Python's hash of text is keyed anew in each process. Two ids of one hash
would be counted as one: the window would be refused, never thought complete.
"""

from array import array
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b

from reconcile.kspay.ahead import PagesAhead
from reconcile.kspay.errors import InvalidRequestError, ProtocolError
from reconcile.kspay.filters import TELLING_GAP, Border, Evidence, Filter, outside
from reconcile.kspay.listing import Listing, fingerprint, instant, row_id, times_of
from reconcile.kspay.windows import Window
from reconcile.records import RawRow

MAX_PASSES = 60
"""Readings of one window before it is given up. Of rows in random order each misses about a third."""

EQUAL_IF_REPEATED = 12
"""So many equal readings in a row prove a listing that repeats rows: by chance, 1 in 4 ** 11 at most."""

QUIET_READINGS = 16
"""So many readings in a row after which nothing was new: a row in random order is missed by all of them with
a chance of at most 1 in 8 million, for of each it is missed with at most 1 / e."""

MAX_BARREN_PAGES = 50
"""So many pages in a row that repeat rows of the same reading are no listing, or lie beyond its end."""

ROWS_BEYOND_CHANCE = 24
"""A page beyond the end is asked for four times, and once more for each time that its rows go into these."""

CALM_PAGES = 50
"""So many pages are read in order after rows were seen to move."""

FIRST_PAGES = 12
"""So often is the first page compared with one far beyond the end."""

PAGES_WORTH_A_PROBE = 20
"""A second reading of fewer pages costs hardly more than to find out what the range filters (`Border`)."""

FAR_PAGE = 1_000_000
"""Beyond every listing: what it holds tells whether `page` is honoured."""

ONE_ANSWER = "one answer held it all"
COUNTED = "as many ids as listed rows"
TWO_READINGS = "two equal readings"
QUIET = "nothing new through many readings"
SETTLED = "as many ids as listed rows, unchanged through several readings"


# A known row's content hash and the number of the reading that saw it last share one int.
_PASS_BITS = 6
_MARK_BITS = 54
_PASS = (1 << _PASS_BITS) - 1
_MARK = (1 << _MARK_BITS) - 1
_KEY = (1 << 60) - 1
assert MAX_PASSES + 1 <= _PASS


class IncompleteError(ProtocolError):
    """A window that could not be read so that its completeness is certain."""

    advice = "nothing was taken over; try again at a quieter hour, or with a shorter period"


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """How a window was read to its proven end."""

    window: Window
    pages: int  # answers, the empty ones and the repeated ones included
    rows: int  # in all of them
    distinct: int  # different ids (of rows without an id, different contents)
    passes: int  # readings from the first page on
    first_at: datetime | None  # the earliest `createdAt`, aware, UTC; None where no row has one
    last_at: datetime | None
    total: int | None  # what the server said that the window holds, if anything
    proof: str  # in a few words, why nothing can be missing


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one answer that were not known in this form."""

    rows: list[RawRow]
    number: int
    total: int | None


class _Pass:
    """One reading from the first page on."""

    def __init__(self) -> None:
        self.distinct = 0  # keys seen in it
        self.first_page: set[int] = set()
        self.digest = blake2b(digest_size=16)
        self.changed = False
        self.new = 0  # keys that no reading saw before
        self.repeats = 0  # rows that it showed before
        self.barren = 0
        self.short = 0  # the first page with fewer rows than asked for; 0: none yet
        self.in_order_to = 1  # up to this page nothing is asked ahead


class WindowReader:
    """Reads one window. `read` yields what is new; when it has ended, `record` tells how it was read."""

    def __init__(
        self,
        ahead: PagesAhead,
        window: Window,
        limit: int,
        concurrency: int,
        evidence: Evidence,
        probe: Callable[[date], None],
        probe_border: Callable[[Border, int, int], None],
    ):
        self._ahead = ahead
        self._window = window
        self._asked_limit = self._limit = limit
        self._concurrency = concurrency
        self._evidence = evidence
        self._probe = probe
        self._probe_border = probe_border
        self._border = Border(window)
        self._known: dict[int, int] = {}  # key → hash of the newest version seen, and its last reading
        self._page_honoured = False
        self._unmeasured = False  # whether pages beyond the end show rows and none tells where the end is
        self.first_answer = 0, 0
        """Rows of the first answer, for which alone the limit was as given, and how many of them differ."""
        self._length = 0
        self._last_page = 0
        self._pages = self._rows = self._passes = 0
        self._equal = 1  # readings in a row that showed the same, in the same order
        self._quiet = 0  # readings in a row that showed nothing new
        self._quiet_length = -1
        self._together_from = 0  # the reading from which on rows are counted together …
        self._together = 0  # … and how many different ones were seen since
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None
        self._total: int | None = None
        self._distant: tuple[timedelta, date] | None = (
            None  # the widest gap from creation to change, and its day
        )
        self._proof = ""
        self._marks: list[int] = []  # fingerprints of the rows of the last answer
        self._pass = _Pass()

    @property
    def record(self) -> WindowRecord:
        """How the window was read; complete only once `read` has ended."""
        return WindowRecord(
            self._window,
            self._pages,
            self._rows,
            len(self._known),
            self._passes,
            self._first_at,
            self._last_at,
            self._total,
            self._proof,
        )

    def read(self) -> Iterator[Batch]:
        """Every row of the window, each version once. Raises IncompleteError where that cannot be proven."""
        try:
            yield from self._read()
        finally:
            self._pages += self._ahead.drop()

    def _read(self) -> Iterator[Batch]:
        yield from self._whole_pass()
        if self._proof:
            return
        if self._evidence.filter is Filter.UNDECIDED and self._distant and self._distant[0] >= TELLING_GAP:
            self._probe(self._distant[1])
        if self._evidence.filter is Filter.UNDECIDED and self._last_page >= PAGES_WORTH_A_PROBE:
            self._probe_border(self._border, self._limit, self._last_page)
        if self._unmeasured:
            yield from self._until_quiet()
        elif self._evidence.filter is Filter.CREATED:
            yield from self._until_counted()
        else:
            yield from self._until_settled()

    # Readings.

    def _whole_pass(self) -> Generator[Batch, None, bytes]:
        """Read from the first page to the end; the return value is equal for equal readings."""
        yield from self._pass_until(lambda: False)
        return self._pass.digest.digest()

    def _pass_until(self, enough: Callable[[], bool]) -> Generator[Batch, None, bool]:
        """Read from the first page on, at most to the end; True where it stopped early, being `enough`."""
        self._start_pass()
        number, last = 1, 0
        while True:
            known_before = self._pass.distinct
            depth = self._depth(number)
            keys = yield from self._page(number, depth)
            self._pass.repeats += len(keys) - (self._pass.distinct - known_before)
            self._pass.digest.update(array("q", self._marks))
            if number == 1:
                self._pass.first_page = set(keys)
                if self._passes == 1:
                    self.first_answer = len(keys), len(set(keys))
                self._settle_limit(len(keys))
            if not self._pass.short and len(keys) < self._limit:
                self._pass.short = number
            if not keys:
                self._ends_at(number - 1, last)
                if number == 1 or (number == 2 and self._evidence.filter is Filter.CREATED):
                    # The one answer was the whole listing. (Where rows can leave, the second page may be
                    # empty only because its rows moved up to the first meanwhile.)
                    self._proof = ONE_ANSWER
                return False
            if self._evidence.page_ignored is None and number > 1:
                self._see_whether_page_counts(keys)
            if self._evidence.page_ignored:
                self._proof = ONE_ANSWER
                return False
            if enough():
                return True
            if number == 1 or self._pass.distinct > known_before:
                self._pass.barren = 0
            elif self._is_the_end(number, keys):
                if self._last_page < number:
                    self._pass.repeats -= len(keys)  # this page is no part of the listing
                return False
            if depth > 1 and self._pass.distinct < known_before + len(keys):
                yield from self._read_in_order_again(number, depth)
            number, last = number + 1, len(keys)

    def _depth(self, number: int) -> int:
        """How many pages may be asked for at once: more and more, so that few lie beyond the end."""
        if number <= self._pass.in_order_to:
            return 1
        return min(self._concurrency, number - 1)

    def _read_in_order_again(self, number: int, depth: int) -> Iterator[Batch]:
        """Rows are moving: ask again for the pages around this one whose answers may have come out of order."""
        self._pass.in_order_to = number + CALM_PAGES
        for page in range(max(2, number - depth + 1), number + 1):
            yield from self._page(page)

    def _start_pass(self) -> None:
        self._passes += 1
        if self._passes > MAX_PASSES:
            raise IncompleteError(
                f"GET /transaction {self._window}",
                200,
                message=f"the listing kept changing through {MAX_PASSES} readings: "
                f"{len(self._known)} different transactions seen, {self._length} listed",
            )
        self._pages += self._ahead.drop()
        self._pass = _Pass()

    def _settle_limit(self, rows: int) -> None:
        # A server that caps the limit silently may still count the pages by what was asked for, and one
        # that gives more than was asked for too: asking for what it gives makes both count alike.
        if rows and rows != self._limit and self._passes == 1:
            self._limit = rows

    def _ends_at(self, page: int, rows: int) -> None:
        self._last_page = page
        self._length = (page - 1) * self._limit + rows if page else 0

    def _see_whether_page_counts(self, keys: list[int]) -> None:
        """Look far beyond the end, once a page shows a row of the first page again."""
        first = self._pass.first_page
        if first.isdisjoint(keys):
            return
        far = set(self._keys(FAR_PAGE))
        if not far:
            self._page_honoured, self._evidence.page_ignored = True, False
        elif far != first:
            if not first.isdisjoint(far):
                self._evidence.page_ignored = not self._first_page_differs(far)
        else:
            # The first page it is, whatever is asked for; unless there is only one, and every page beyond
            # the last is the last. Then the second page has one row if one fewer fits into the first.
            rows, limit = self.first_answer[0], self._limit
            if rows > 2:
                self._limit = rows - 1
                second = self._keys(2)
                self._limit = limit
                self._evidence.page_ignored = len(second) != 1
            else:
                self._evidence.page_ignored = True

    def _first_page_differs(self, far: set[int]) -> bool:
        """Whether the first page always shows a row that the page far beyond the end never does, or more rows.

        Where `page` is ignored, both are the same listing: a row that is only sometimes on it was by turns
        there and not there through all these answers with a chance of at most 1 in 4 ** FIRST_PAGES.
        """
        always = set(self._pass.first_page)
        sizes = set[tuple[int, int]]()
        for _ in range(FIRST_PAGES):
            first, beyond = self._keys(1), self._keys(FAR_PAGE)
            always &= set(first)
            far |= set(beyond)
            sizes.add((len(first), len(beyond)))
        return not always <= far or (len(sizes) == 1 and all(here > there for here, there in sizes))

    def _keys(self, number: int) -> list[int]:
        """The keys of a page that is no part of the reading."""
        listing = self._answer(number, 1)
        self._pages += 1
        self._rows += len(listing.rows)
        return _keys(listing.rows, list(map(fingerprint, listing.rows)))

    def _is_the_end(self, number: int, keys: list[int]) -> bool:
        """Whether a page that only repeats rows is what this server gives for every page from here on."""
        self._pass.barren += 1
        if self._pass.barren > MAX_BARREN_PAGES:
            if self._page_honoured:
                raise self._endless(number)
            self._unmeasured = True
            return True
        if self._page_honoured:
            return False
        far = self._keys(FAR_PAGE)
        if not far:
            self._page_honoured = True
            return False
        if len(keys) == len(far) < self._limit:
            # The last page it is, or that page again, its rows perhaps in a new order.
            self._ends_at(self._pass.short, len(keys))
            return True
        if not self._is_far_page(keys):
            return False
        if self._pass.first_page.issubset(keys):
            self._proof = ONE_ANSWER
        self._ends_at(number - 1, len(far))
        return True

    def _is_far_page(self, keys: list[int]) -> bool:
        """Whether these very rows are the answer to a page far beyond the end, and not by chance.

        Of rows of one instant that come in a new order each time, a page may show the same ones twice
        although it is not the last: the fewer they are, the more answers must be equal.
        """
        times = 4 + ROWS_BEYOND_CHANCE // len(keys)
        return all(set(self._keys(FAR_PAGE)) == set(keys) for _ in range(times))

    def _endless(self, number: int) -> IncompleteError:
        return IncompleteError(
            f"GET /transaction {self._window} page {number}",
            200,
            message=f"{MAX_BARREN_PAGES} pages in a row held nothing but what earlier pages held",
        )

    # Proofs.

    def _counted(self) -> bool:
        return len(self._known) == self._length

    def _until_counted(self) -> Generator[Batch, None, None]:
        """Read on until as many ids are known as the listing holds at one moment."""
        digest: bytes | None = self._pass.digest.digest()
        while True:
            yield from self._measure()
            if self._unmeasured:
                yield from self._until_quiet()
                return
            if self._counted():
                self._proof = COUNTED
                return
            early = yield from self._pass_until(self._counted)
            previous, digest = digest, None if early else self._pass.digest.digest()
            if self._proof:
                return
            if self._agrees(digest, previous):
                return

    def _agrees(self, digest: bytes | None, previous: bytes | None) -> bool:
        """Whether the last readings, by their digests, prove together that nothing is missing."""
        self._equal = self._equal + 1 if digest is not None and digest == previous else 1
        if digest is None or self._pass.new or self._pass.changed or self._length != self._quiet_length:
            self._quiet = 0
        self._quiet += 1
        self._quiet_length = self._length
        if self._equal >= (EQUAL_IF_REPEATED if self._pass.repeats else 2):
            self._proof = TWO_READINGS
        elif self._quiet > QUIET_READINGS:
            self._proof = QUIET
        return bool(self._proof)

    def _measure(self) -> Iterator[Batch]:
        """Ask for the last page again, and for any after it: the length of the listing now."""
        number, before = max(1, self._last_page), set[int]()
        barren = 0
        while True:
            known_before = len(self._known)
            keys = yield from self._page(number)
            barren = barren + 1 if len(self._known) == known_before else 0
            if barren > MAX_BARREN_PAGES:
                if self._page_honoured:
                    raise self._endless(number)
                self._unmeasured = True
                return
            if not keys or (set(keys) == before and self._is_far_page(keys)):
                self._ends_at(number - 1, self._limit if number > 1 else 0)
                return
            if len(keys) < self._limit:
                self._ends_at(number, len(keys))
                return
            number, before = number + 1, set(keys)

    def _until_quiet(self) -> Iterator[Batch]:
        """Read on until many readings showed nothing new, where the end of the listing cannot be told."""
        digest: bytes | None = None
        while not self._proof:
            previous = digest
            digest = yield from self._whole_pass()
            if digest == previous:
                raise self._endless(self._last_page)  # nothing is in a new order: it goes round in circles
            self._ends_at(0, 0)
            if not self._proof and self._agrees(digest, previous):
                return

    def _until_settled(self) -> Iterator[Batch]:
        """Read whole until nothing changes any more and the readings together show all that is listed."""
        # Only readings in order that began and ended with the same length count: what an earlier one
        # showed may have left since. A window does not gain and lose rows at once: what changes now leaves
        # all past days, and arrives only in a window that holds today.
        digest = self._pass.digest.digest()
        length: int | None = None if self._concurrency > 1 else self._length
        self._count_together()
        while True:
            previous = digest
            digest = yield from self._whole_pass()
            if self._proof:
                return
            if self._agrees(digest, previous):
                return
            if self._evidence.filter is Filter.CREATED:
                yield from self._until_counted()
                return
            self._concurrency = 1
            if self._pass.changed or self._length != length or self._together > self._length:
                length = self._length
                self._count_together()
                continue
            if self._together == length:
                self._proof = SETTLED
                return

    def _count_together(self) -> None:
        """Count the different rows that are seen from the next reading on."""
        self._together_from, self._together = self._passes + 1, 0

    # Answers.

    def _page(self, number: int, depth: int = 1) -> Generator[Batch, None, list[int]]:
        """The keys of the rows that one page holds: of their ids, or of their contents where they have none."""
        listing = self._answer(number, depth)
        self._pages += 1
        self._rows += len(listing.rows)
        self._total = listing.total if listing.total is not None else self._total
        self._marks = list(map(fingerprint, listing.rows))
        keys = _keys(listing.rows, self._marks)
        fresh = listing.rows
        if not self._are_all_new(keys):
            marked = zip(listing.rows, keys, self._marks, strict=True)
            fresh = [row for row, key, mark in marked if self._is_new(key, mark & _MARK)]
        if fresh:
            self._learn(fresh)
            yield Batch(fresh, number, self._total)
        return keys

    def _are_all_new(self, keys: list[int]) -> bool:
        """Whether no row of the last answer was known in any form; then note them all, which is soon done."""
        different = set(keys)
        if len(different) < len(keys) or not self._known.keys().isdisjoint(different):
            return False
        seen = [(mark & _MARK) << _PASS_BITS | self._passes for mark in self._marks]
        self._known.update(zip(keys, seen, strict=True))
        self._pass.distinct += len(keys)
        self._pass.new += len(keys)
        if self._together_from:
            self._together += len(keys)
        return True

    def _is_new(self, key: int, mark: int) -> bool:
        """Note that a row was seen; whether it was not known in this form."""
        before = self._known.get(key)
        seen = 0 if before is None else before & _PASS
        if seen < self._passes:
            self._pass.distinct += 1
            if seen < self._together_from:
                self._together += 1
        elif before == mark << _PASS_BITS | seen:
            return False
        self._known[key] = mark << _PASS_BITS | self._passes
        if before is None:
            self._pass.new += 1
            return True
        if before >> _PASS_BITS == mark:
            return False
        self._pass.changed = True
        return True

    def _answer(self, number: int, depth: int) -> Listing:
        try:
            listing, dropped = self._ahead.page(number, self._limit, depth)
        except InvalidRequestError:
            if self._limit == self._asked_limit:
                raise
            # The server takes only certain limits, and not the number of rows that it gave.
            self._limit = self._asked_limit
            listing, dropped = self._ahead.page(number, self._limit, 1)
        self._pages += dropped
        return listing

    def _learn(self, rows: list[RawRow]) -> None:
        """What the times of new rows tell of the window and of the filter."""
        times = times_of(rows)
        if self._passes == 1 and self._evidence.filter is Filter.UNDECIDED:
            self._border.note(rows, times)
        bounds = times.bounds() if times else None
        if bounds is not None and not self._telling(*bounds):
            self._note_created(bounds[0])
            self._note_created(bounds[1])
            return
        for row in rows:
            created, updated = instant(row, "createdAt"), instant(row, "updatedAt")
            if created is not None:
                self._note_created(created)
                if updated is not None and (self._distant is None or updated - created > self._distant[0]):
                    self._distant = (updated - created, created.date())
            self._evidence.take(self._window, created, updated)

    def _telling(
        self, created: datetime, last_created: datetime, updated: datetime, last_updated: datetime
    ) -> bool:
        """Whether a row whose times lie within these bounds may tell anything of the filter."""
        widest = self._distant[0] if self._distant else timedelta()
        return last_updated - created >= max(widest, TELLING_GAP) or any(
            outside(self._window, at) for at in (created, last_created, updated, last_updated)
        )

    def _note_created(self, at: datetime) -> None:
        self._first_at = at if self._first_at is None else min(self._first_at, at)
        self._last_at = at if self._last_at is None else max(self._last_at, at)


def _keys(rows: list[RawRow], marks: list[int]) -> list[int]:
    """By these rows are known: by their ids, or where they have none by their contents."""
    return [
        (mark if (identity := row_id(row)) is None else hash(identity)) & _KEY
        for row, mark in zip(rows, marks, strict=True)
    ]
