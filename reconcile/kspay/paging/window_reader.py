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

- A server may cut a page short, by bytes say, and give the rest of its rows on no page. So where a page had
  fewer rows than places, the last one too, what begins at the next place is asked for before anything counts as
  proven: if a row stands there that the page lacks, smaller pages are asked for from then on. (Of a server that
  takes rows out of its pages, the row there is one of the page.)
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
"""

from array import array
from collections.abc import Callable, Generator, Iterator
from datetime import date
from hashlib import blake2b

from reconcile.kspay.errors import InvalidRequestError, NotFoundError
from reconcile.kspay.paging.completeness import (
    COUNTED,
    ONE_ANSWER,
    QUIET,
    SETTLED,
    TWO_READINGS,
    Batch,
    IncompleteError,
    WindowRecord,
)
from reconcile.kspay.paging.date_filter import Border, Evidence, Filter
from reconcile.kspay.paging.end_probe import Beyond
from reconcile.kspay.paging.listing import Listing, fingerprint
from reconcile.kspay.paging.prefetch import PagesAhead
from reconcile.kspay.paging.seen_rows import MOST_READINGS, KnownRows, keys_of
from reconcile.kspay.paging.span import Span
from reconcile.kspay.paging.windows import Window

MAX_PASSES = 60
"""Readings of one window before it is given up. Of rows in random order each misses about a third."""
assert MAX_PASSES + 1 <= MOST_READINGS

EQUAL_IF_REPEATED = 12
"""So many equal readings in a row prove a listing that repeats rows: by chance, 1 in 4 ** 11 at most."""

QUIET_READINGS = 16
"""So many readings in a row after which nothing was new: a row in random order is missed by all of them with
a chance of at most 1 in 8 million, for of each it is missed with at most 1 / e."""

MAX_BARREN_PAGES = 50
"""So many pages in a row that repeat rows of the same reading are no listing, or lie beyond its end."""

CALM_PAGES = 50
"""So many pages are read in order after rows were seen to move."""

PAGES_WORTH_A_PROBE = 20
"""A second reading of fewer pages costs hardly more than to find out what the range filters (`Border`)."""


class _Pass:
    """One reading from the first page on."""

    def __init__(self) -> None:
        self.rows = 0  # that it was answered with
        self.first_page: set[int] = set()
        self.digest = blake2b(digest_size=16)
        self.repeats = 0  # rows that it showed before
        self.barren = 0
        self.short = 0  # the first page with fewer rows than asked for; 0: none yet
        self.gaps: list[int] = []  # the pages before the last with fewer rows than places
        self.cut = False  # whether it was seen that a page lacks rows that stand on no other
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
        self._span = Span(window, evidence)
        self._known = KnownRows()
        self._beyond = Beyond(self._keys)
        self._unmeasured = False  # whether pages beyond the end show rows and none tells where the end is
        self.first_answer = 0, 0
        """Rows of the first answer, for which alone the limit was as given, and how many of them differ."""
        self._pages_were_cut = False
        self._last_keys: tuple[int, list[int]] = 0, []  # of the last page that was not empty, and its number
        self._length = 0
        self._last_page = 0
        self._pages = self._rows = self._passes = 0
        self._equal = 1  # readings in a row that showed the same, in the same order
        self._quiet = 0  # readings in a row that showed nothing new
        self._quiet_length = -1
        self._total: int | None = None
        self._proof = ""
        self._marks: list[int] = []  # fingerprints of the rows of the last answer
        self._pass = _Pass()
        self._longest = 0  # rows of the longest reading before the present one

    @property
    def record(self) -> WindowRecord:
        """How the window was read; complete only once `read` has ended."""
        return WindowRecord(
            self._window,
            self._pages,
            self._rows,
            len(self._known),
            self._passes,
            self._span.first_at,
            self._span.last_at,
            self._total,
            self._proof,
            self._span.latest_clock,
        )

    def read(self) -> Iterator[Batch]:
        """Every row of the window, each version once, and of further readings every answer.

        Raises IncompleteError where it cannot be proven that this is every row.
        """
        try:
            yield from self._read()
        finally:
            self._pages += self._ahead.drop()

    def _read(self) -> Iterator[Batch]:
        yield from self._whole_pass()
        if self._proof:
            return
        if self._evidence.filter is Filter.UNDECIDED and self._span.telling_day is not None:
            self._probe(self._span.telling_day)
        if self._evidence.filter is Filter.UNDECIDED and self._last_page >= PAGES_WORTH_A_PROBE:
            self._probe_border(self._span.border, self._limit, self._last_page)
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
            known_before = self._known.distinct
            depth = self._depth(number)
            keys = yield from self._page(number, depth)
            self._pass.repeats += len(keys) - (self._known.distinct - known_before)
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
                if number == 1 and self._known and self._pages_were_cut:
                    raise self._unplaced()
                if number == 1 or (
                    number == 2 and self._evidence.filter is Filter.CREATED and not self._was_cut()
                ):
                    # The one answer was the whole listing. (Where rows can leave, the second page may be
                    # empty only because its rows moved up to the first meanwhile.)
                    self._proof = ONE_ANSWER
                return False
            if 0 < last < self._limit:
                self._pass.gaps.append(number - 1)
            if self._evidence.page_ignored is None and number > 1:
                self._see_whether_page_counts(keys)
            if self._evidence.page_ignored:
                self._proof = ONE_ANSWER
                return False
            if enough():
                return True
            if number == 1 or self._known.distinct > known_before:
                self._pass.barren = 0
            elif self._is_the_end(number, keys):
                if self._last_page < number:
                    self._pass.repeats -= len(keys)  # this page is no part of the listing
                return False
            if depth > 1 and self._known.distinct < known_before + len(keys):
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
        self._known.begin_reading()
        self._longest = max(self._longest, self._pass.rows)
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
        if not first.isdisjoint(keys):
            self._evidence.page_ignored = self._beyond.is_page_ignored(
                first, self.first_answer[0], self._keys_by_limit
            )

    def _keys_by_limit(self, number: int, limit: int) -> list[int]:
        """The keys of a page where another limit is asked for, which is no part of the reading."""
        usual, self._limit = self._limit, limit
        keys = self._keys(number)
        self._limit = usual
        return keys

    def _keys(self, number: int) -> list[int]:
        """The keys of a page that is no part of the reading."""
        listing = self._answer(number, 1)
        self._pages += 1
        self._rows += len(listing.rows)
        return keys_of(listing.rows, list(map(fingerprint, listing.rows)))

    def _is_the_end(self, number: int, keys: list[int]) -> bool:
        """Whether a page that only repeats rows is what this server gives for every page from here on."""
        self._pass.barren += 1
        if self._pass.barren > MAX_BARREN_PAGES:
            if self._beyond.is_empty:
                raise self._endless(number)
            self._unmeasured = True
            return True
        if self._beyond.is_empty:
            return False
        far = self._beyond.look()
        if not far:
            return False
        if len(keys) == len(far) < self._limit:
            # The last page it is, or that page again, its rows perhaps in a new order.
            self._ends_at(self._pass.short, len(keys))
            return True
        if not self._beyond.is_always(keys):
            return False
        if self._pass.first_page.issubset(keys):
            self._proof = ONE_ANSWER
        self._ends_at(number - 1, len(far))
        return True

    def _endless(self, number: int) -> IncompleteError:
        return IncompleteError(
            f"GET /transaction {self._window} page {number}",
            200,
            message=f"{MAX_BARREN_PAGES} pages in a row held nothing but what earlier pages held",
        )

    def _unplaced(self) -> IncompleteError:
        return IncompleteError(
            f"GET /transaction {self._window} page 1",
            200,
            message=f"no row where {len(self._known)} are known: pages are cut short, and smaller ones are empty",
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
            if self._counted() and not self._was_cut():
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
        if digest is None or self._known.new or self._known.changed or self._length != self._quiet_length:
            self._quiet = 0
        self._quiet += 1
        self._quiet_length = self._length
        proof = ""
        if self._equal >= (EQUAL_IF_REPEATED if self._pass.repeats else 2):
            proof = TWO_READINGS
        elif self._quiet > QUIET_READINGS:
            proof = QUIET
        self._proof = "" if proof and self._was_cut() else proof
        return bool(self._proof)

    def _was_cut(self) -> bool:
        """Whether a page of the last reading lacks rows that stand on no other; if so, the next ones are smaller."""
        if not self._pass.cut:
            # Where all are known that there are places for, only the end of the listing is in doubt.
            gaps = [] if self._counted() else self._pass.gaps
            self._pass.cut = any(map(self._is_cut, gaps)) or (
                self._length % self._limit > 0 and self._is_cut(self._last_page)
            )
            if self._pass.cut:
                self._pages_were_cut = True
                self._limit = max(1, self._limit // 2)
                self._last_page = max(1, self._length // self._limit)
                self._equal, self._quiet = 1, 0
        return self._pass.cut

    def _is_cut(self, number: int) -> bool:
        """Whether the place behind a page's last row holds a row that the page lacks.

        Where pages beyond the last are the last one again it is the last row, and rows of one instant may take turns
        there: so it must be the same one each time. One that arrived meanwhile stands on the page by now.
        """
        last, keys = self._last_keys
        if last != number:
            keys = self._keys(number)
        offset = (number - 1) * self._limit + len(keys)
        for size in (size for size in range(len(keys), 0, -1) if offset % size == 0):
            page = offset // size + 1
            behind = self._exactly(page, size)
            if behind is None:
                continue
            return (
                0 < len(behind) <= size
                and behind[0] not in keys
                # Behind the last page even a row that is known shows that the listing goes on: it may have moved there.
                and (number == self._last_page or behind[0] not in self._known)
                and all((self._exactly(page, size) or [])[:1] == behind[:1] for _ in range(3))
                and behind[0] not in self._keys(number)
            )
        return False  # of a server that refuses all such pages nothing tells

    def _exactly(self, number: int, limit: int) -> list[int] | None:
        """The keys of a page of just this size, which is no part of the reading; None where it is refused."""
        try:
            listing, dropped = self._ahead.page(number, limit, 1)
        except (InvalidRequestError, NotFoundError):
            return None
        self._pages += 1 + dropped
        self._rows += len(listing.rows)
        return keys_of(listing.rows, list(map(fingerprint, listing.rows)))

    def _measure(self) -> Iterator[Batch]:
        """Ask for the last page again, and for any after it: the length of the listing now."""
        number, before = max(1, self._last_page), set[int]()
        barren = 0
        while True:
            known_before = len(self._known)
            keys = yield from self._page(number)
            barren = barren + 1 if len(self._known) == known_before else 0
            if barren > MAX_BARREN_PAGES:
                if self._beyond.is_empty:
                    raise self._endless(number)
                self._unmeasured = True
                return
            if not keys or (set(keys) == before and self._beyond.is_always(keys)):
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
        self._known.count_together()
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
            if self._known.changed or self._length != length or self._known.together > self._length:
                length = self._length
                self._known.count_together()
                continue
            if self._known.together == length and not self._was_cut():
                self._proof = SETTLED
                return

    # Answers.

    def _page(self, number: int, depth: int = 1) -> Generator[Batch, None, list[int]]:
        """The keys of the rows that one page holds: of their ids, or of their contents where they have none."""
        listing = self._answer(number, depth)
        self._pages += 1
        self._rows += len(listing.rows)
        self._total = listing.total if listing.total is not None else self._total
        self._marks = list(map(fingerprint, listing.rows))
        keys = keys_of(listing.rows, self._marks)
        fresh = self._known.note(listing.rows, keys, self._marks)
        if keys:
            self._last_keys = number, keys
        self._pass.rows += len(listing.rows)
        if fresh:
            self._span.learn(fresh, in_first_reading=self._passes == 1)
        if fresh or self._passes > 1:
            yield Batch(fresh, number, self._passes, self._pass.rows, self._longest)
        return keys

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
