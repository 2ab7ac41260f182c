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
- One answer is one moment: an empty first page proves an empty window, a server that ignores `page`
  gives everything at once, and where rows cannot leave, a window that fits into one page is complete.
- Two whole readings in a row that show the same rows in the same order prove a listing in which the
  server itself repeats rows, where no count can be reached.

If none of these holds after `MAX_PASSES` readings, the window is refused: never a part for the whole.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from reconcile.kspay.errors import InvalidRequestError, ProtocolError
from reconcile.kspay.listing import Listing, fingerprint, instant, row_id
from reconcile.kspay.windows import Window
from reconcile.records import RawRow

MAX_PASSES = 40
"""Readings of one window before it is given up. Of rows in random order each misses about a third."""

MAX_BARREN_PAGES = 50
"""So many pages in a row that repeat rows of the same reading are no listing."""

FAR_PAGE = 1_000_000
"""Beyond every listing: what it holds tells whether `page` is honoured."""

ONE_ANSWER = "one answer held it all"
COUNTED = "as many ids as listed rows"
TWO_READINGS = "two equal readings"
SETTLED = "as many ids as listed rows, unchanged through several readings"

_DAY = timedelta(days=1)
_TELLING_GAP = timedelta(days=4)

Ask = Callable[[int, int], Listing]
"""Asks for (page, limit)."""


class IncompleteError(ProtocolError):
    """A window that could not be read so that its completeness is certain."""

    advice = "nothing was taken over; try again at a quieter hour, or with a shorter period"


class Filter(StrEnum):
    """Which time the server's date range filters, as far as rows have shown it."""

    UNDECIDED = "undecided"
    CREATED = "createdAt"
    UPDATED = "updatedAt"


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


class Evidence:
    """What rows have shown about the date range, over all windows of a client."""

    def __init__(self) -> None:
        self.filter = Filter.UNDECIDED

    def take(self, window: Window, created: datetime | None, updated: datetime | None) -> None:
        """Learn from a row that `window` was answered with."""
        if created is None or updated is None or self.filter is Filter.CREATED:
            return
        if outside(window, updated):
            self.filter = Filter.CREATED
        elif outside(window, created):
            self.filter = Filter.UPDATED


def outside(window: Window, at: datetime) -> bool:
    """Whether an instant lies outside the window whatever the zone that its days are cut in."""
    return not window.from_date - _DAY <= at.date() <= window.to_date + _DAY


class _Pass:
    """One reading from the first page on."""

    def __init__(self) -> None:
        self.keys: set[str | bytes] = set()
        self.first_page: set[str | bytes] = set()
        self.digest = blake2b(digest_size=16)
        self.changed = False
        self.barren = 0


class WindowReader:
    """Reads one window. `read` yields what is new; when it has ended, `record` tells how it was read."""

    def __init__(
        self, ask: Ask, window: Window, limit: int, evidence: Evidence, probe: Callable[[date], None]
    ):
        self._ask = ask
        self._window = window
        self._asked_limit = self._limit = limit
        self._evidence = evidence
        self._probe = probe
        self._known: dict[str | bytes, bytes] = {}  # key → fingerprint of the newest version seen
        self._page_honoured = False
        self._length = 0
        self._last_page = 0
        self._pages = self._rows = self._passes = 0
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None
        self._total: int | None = None
        self._distant: tuple[timedelta, date] | None = (
            None  # the widest gap from creation to change, and its day
        )
        self._proof = ""
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
        yield from self._whole_pass()
        if self._proof:
            return
        if self._evidence.filter is Filter.UNDECIDED and self._distant and self._distant[0] >= _TELLING_GAP:
            self._probe(self._distant[1])
        if self._evidence.filter is Filter.CREATED:
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
            known_before = len(self._pass.keys)
            keys = yield from self._page(number)
            if number == 1:
                self._pass.first_page = set(keys)
                self._settle_limit(len(keys))
            if not keys:
                self._ends_at(number - 1, last)
                if number == 1 or (number == 2 and self._evidence.filter is Filter.CREATED):
                    # The one answer was the whole listing. (Where rows can leave, the second page may be
                    # empty only because its rows moved up to the first meanwhile.)
                    self._proof = ONE_ANSWER
                return False
            if enough():
                return True
            if number == 1 or len(self._pass.keys) > known_before:
                self._pass.barren = 0
            elif (yield from self._is_the_end(number, set(keys))):
                return False
            number, last = number + 1, len(keys)

    def _start_pass(self) -> None:
        self._passes += 1
        if self._passes > MAX_PASSES:
            raise IncompleteError(
                f"GET /transaction {self._window}",
                200,
                message=f"the listing kept changing through {MAX_PASSES} readings: "
                f"{len(self._known)} different transactions seen, {self._length} listed",
            )
        self._pass = _Pass()

    def _settle_limit(self, rows: int) -> None:
        # A server that caps the limit silently may still count the pages by what was asked for, and one
        # that gives more than was asked for too: asking for what it gives makes both count alike.
        if rows and rows != self._limit and self._passes == 1:
            self._limit = rows

    def _ends_at(self, page: int, rows: int) -> None:
        self._last_page = page
        self._length = (page - 1) * self._limit + rows if page else 0

    def _is_the_end(self, number: int, keys: set[str | bytes]) -> Generator[Batch, None, bool]:
        """Whether a page that only repeats rows is what this server gives for every page from here on."""
        self._pass.barren += 1
        if self._pass.barren > MAX_BARREN_PAGES:
            raise self._endless(number)
        if self._page_honoured:
            return False
        far = yield from self._page(FAR_PAGE)
        if not far:
            self._page_honoured = True
            return False
        if set(far) != keys:
            return False
        if keys >= self._pass.first_page:
            self._proof = ONE_ANSWER
        self._ends_at(number - 1, len(far))
        return True

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
            if self._counted():
                self._proof = COUNTED
                return
            early = yield from self._pass_until(self._counted)
            previous, digest = digest, None if early else self._pass.digest.digest()
            if self._proof:
                return
            if digest is not None and digest == previous:
                self._proof = TWO_READINGS
                return

    def _measure(self) -> Iterator[Batch]:
        """Ask for the last page again, and for any after it: the length of the listing now."""
        number, before = max(1, self._last_page), None
        barren = 0
        while True:
            known_before = len(self._known)
            keys = yield from self._page(number)
            barren = barren + 1 if len(self._known) == known_before else 0
            if barren > MAX_BARREN_PAGES:
                raise self._endless(number)
            if not keys or keys == before:
                self._ends_at(number - 1, self._limit if number > 1 else 0)
                return
            if len(keys) < self._limit:
                self._ends_at(number, len(keys))
                return
            number, before = number + 1, keys

    def _until_settled(self) -> Iterator[Batch]:
        """Read whole until nothing changes any more and the readings together show all that is listed."""
        # Only readings that began and ended with the same length count: what an earlier one showed may
        # have left since. A window does not gain and lose rows at once: what changes now leaves all past
        # days, and arrives only in a window that holds today.
        together: set[str | bytes] = set()
        digest, length = self._pass.digest.digest(), self._length
        while True:
            previous = digest
            digest = yield from self._whole_pass()
            if self._proof:
                return
            if digest == previous:
                self._proof = TWO_READINGS
                return
            if self._evidence.filter is Filter.CREATED:
                yield from self._until_counted()
                return
            if self._pass.changed or self._length != length or len(together | self._pass.keys) > self._length:
                together, length = set(), self._length
                continue
            together |= self._pass.keys
            if len(together) == length:
                self._proof = SETTLED
                return

    # Answers.

    def _page(self, number: int) -> Generator[Batch, None, list[str | bytes]]:
        """The keys of the rows that one page holds: their ids, or their contents where they have none."""
        listing = self._answer(number)
        self._pages += 1
        self._rows += len(listing.rows)
        self._total = listing.total if listing.total is not None else self._total
        fresh: list[RawRow] = []
        keys: list[str | bytes] = []
        for row in listing.rows:
            mark = fingerprint(row)
            key = row_id(row) or mark
            keys.append(key)
            self._pass.digest.update(mark)
            before = self._known.get(key)
            if before != mark:
                if before is not None:
                    self._pass.changed = True
                self._known[key] = mark
                fresh.append(row)
                self._learn(row)
        self._pass.keys.update(keys)
        if fresh:
            yield Batch(fresh, number, self._total)
        return keys

    def _answer(self, number: int) -> Listing:
        try:
            return self._ask(number, self._limit)
        except InvalidRequestError:
            if self._limit == self._asked_limit:
                raise
            # The server takes only certain limits, and not the number of rows that it gave.
            self._limit = self._asked_limit
            return self._ask(number, self._limit)

    def _learn(self, row: RawRow) -> None:
        created, updated = instant(row, "createdAt"), instant(row, "updatedAt")
        if created is not None:
            self._first_at = created if self._first_at is None else min(self._first_at, created)
            self._last_at = created if self._last_at is None else max(self._last_at, created)
            if updated is not None and (self._distant is None or updated - created > self._distant[0]):
                self._distant = (updated - created, created.date())
        self._evidence.take(self._window, created, updated)
