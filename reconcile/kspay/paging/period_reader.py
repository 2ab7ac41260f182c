"""Fetch All Transactions: reads all windows of a period, and finds out what the server's dates mean."""

import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from reconcile.core.records import Period, Place, RawRow
from reconcile.kspay.errors import (
    AFTER_TODAY,
    BEFORE_APP_CREATION,
    NO_DATA,
    CallError,
    DateRangeError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
)
from reconcile.kspay.http.auth import AuthorizedCalls
from reconcile.kspay.http.transport import Repeated
from reconcile.kspay.lookup import transaction_by_id
from reconcile.kspay.paging.date_filter import DayBorder, learn, outside
from reconcile.kspay.paging.facts import DateFilter, ServerFacts
from reconcile.kspay.paging.last_day import QUARTER, LastDay, midnight
from reconcile.kspay.paging.listing import Answer, Page, fingerprint, instant, read_answer, row_id
from reconcile.kspay.paging.page_source import PageSource
from reconcile.kspay.paging.prefetch import Prefetcher
from reconcile.kspay.paging.window_reader import WindowReader
from reconcile.kspay.paging.window_splitter import Size, WindowSplitter
from reconcile.kspay.paging.windows import LONGEST_WINDOW, Window, WindowRecord, plan

PAGE_SIZE = 100
"""The `limit` that every server may be expected to take."""

LARGE_PAGE_SIZE = 1_000
"""The `limit` where a server gives more. A night then needs a tenth of the requests."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What an answer held, 16 bytes a row, and the mark of its bytes."""

    mark: int
    keys: "array[int]"
    marks: "array[int]"
    total: int | None


class _Bytes:
    """Tells whether an answer has the bytes of an earlier one; `mark` is that of the last answer.

    The mark is Python's hash, 64 bits with a key of the process, like the fingerprint of a row. A cryptographic one
    lets go of the interpreter's lock meanwhile, and costs more than it spares.
    """

    def __init__(self, expected: int | None) -> None:
        self._expected = expected
        self.mark = 0

    def __call__(self, body: bytes) -> bool:
        self.mark = hash(body)
        return self.mark == self._expected


class PeriodReader:
    """Reads periods of one app. What it learns about the server is kept from one period to the next.

    `page_size` is the `limit` asked for; None: PAGE_SIZE, and LARGE_PAGE_SIZE where the server gives more.
    `concurrency` pages of a window are asked for at once, by `workers`.
    `server_now` is the server's clock, aware, in UTC.
    """

    def __init__(
        self,
        calls: AuthorizedCalls,
        server_now: Callable[[], datetime],
        page_size: int | None,
        concurrency: int,
        workers: Executor | None,
    ) -> None:
        self._calls = calls
        self._server_now = server_now
        self._page_size = page_size or PAGE_SIZE
        self._may_grow = page_size is None
        self._concurrency = concurrency
        self._workers = workers
        self.facts = ServerFacts()
        """What answers have shown about the server."""
        self._splitter = WindowSplitter(self._page_size)
        self._days_behind = timedelta()  # the server's today may still be the UTC day before
        self.first_accepted_day: date | None = None
        """The earliest `fromDate` that the server takes, once an earlier one was refused; else None."""
        self.may_lack_from: datetime | None = None
        """From when on records of the days fetched may be missing, UTC, because no row shows that the server lists its
        last day to the end yet. None: nothing may be missing."""
        self.windows_read: list[WindowRecord] = []
        """How each window was read, in the order in which they were proven complete."""

    def pages(self, days: Period) -> Iterator[Page]:
        """Every record of these UTC days, first and last included, by page.

        Records of the days around may come too. A record may come more than once: where windows meet, and when it
        changed meanwhile. Pages of a further reading come too, most of them without rows. No day after the server's
        today is asked for. Raises errors.CallError.
        """
        self._check_clock(days)
        windows = deque(self._plan(days))
        done = rows_so_far = 0
        is_period_read = False  # what follows is read only for records of the period that changed later
        while windows:
            window = windows.popleft()
            reader = self._window_reader(window)
            answers = reader.read()
            try:
                answer = next(answers, None)
            except DateRangeError as error:
                if reader.has_answer:
                    raise
                windows = deque(self._plan_again(error, days, window, list(windows)))
                continue
            is_full = answer is not None and answer.rows_of_reading == self._page_size
            if is_full and self._may_grow and self._gives_more(window):
                windows.appendleft(window)
                continue
            done += 1
            while answer is not None:
                rows = answer.rows
                if is_period_read:
                    rows = [row for row in rows if not _was_created_outside(row, days)]
                rows_so_far += len(rows)
                if rows or answer.reading > 1:
                    yield Page(
                        rows,
                        window,
                        answer.page,
                        done,
                        done + len(windows),
                        rows_so_far,
                        answer.reading,
                        answer.rows_of_reading,
                        answer.rows_expected,
                    )
                answer = next(answers, None)
            if self.facts.page_ignored:
                parts = self._splitter.parts(window, reader.first_answer)
                if parts:
                    windows.extendleft(reversed(parts))
                    continue
            self.windows_read.append(reader.record)
            if not windows:
                is_period_read = True
                windows.extend(self._next_window(window))
        self._splitter.settle(self._size_of_first_answer, self.first_accepted_day, self._today())
        self._note_what_may_lack(days)

    def _window_reader(self, window: Window) -> WindowReader:
        known: dict[tuple[int, int], _Known] = {}

        def ask(number: int, limit: int, unwanted: threading.Event) -> Answer:
            return self._answer(window, number, limit, unwanted, known)

        source = PageSource(Prefetcher(ask, self._workers), self._page_size)
        return WindowReader(window, source, self._concurrency, self)

    def _gives_more(self, window: Window) -> bool:
        """Whether the server gives more rows than the page of the usual size that it just filled; if so, ask for more.

        It is asked once, by one request that is not repeated: a server that refuses it, or has no answer in time, is
        asked for pages of the usual size.
        """
        self._may_grow = False
        try:
            gives_more = len(self._answer(window, 1, LARGE_PAGE_SIZE, once=True).keys) > self._page_size
        except CallError as error:
            self._may_grow = isinstance(error, RateLimitError)  # the pace was refused, not the size
            return False
        if gives_more:
            self._page_size = LARGE_PAGE_SIZE
        return gives_more

    def _answer(
        self,
        window: Window,
        number: int,
        limit: int,
        unwanted: threading.Event | None = None,
        known: dict[tuple[int, int], _Known] | None = None,
        *,
        once: bool = False,
    ) -> Answer:
        """One page of a window. The bytes that page and limit were answered with before are not decoded again."""
        call = f"GET /transaction {window} page {number}"
        params = {
            "fromDate": window.from_date.isoformat(),
            "toDate": window.to_date.isoformat(),
            "page": str(number),
            "limit": str(limit),
        }
        before = known.get((number, limit)) if known is not None else None
        hashed = _Bytes(before.mark if before else None)
        try:
            result = self._calls.get(call, "/transaction", params, unwanted, hashed, once=once)
        except NotFoundError as error:
            if error.entry != NO_DATA:
                raise
            return Answer(
                [], [], None, list
            )  # a documented way (error 24) to say that there is nothing to list
        if isinstance(result, Repeated):
            assert before is not None
            keys, marks = before.keys.tolist(), before.marks.tolist()
            return Answer(keys, marks, before.total, lambda: read_answer(call, result.decoded()).rows)
        answer = read_answer(call, result)
        # If no row can leave the window, it is hardly ever read again.
        if known is not None and self.facts.rows_may_leave:
            known[number, limit] = _Known(
                hashed.mark, array("q", answer.keys), array("q", answer.marks), answer.total
            )
        return answer

    def _size_of_first_answer(self, window: Window) -> Size:
        """How many rows the first answer holds, and how many differ; none outside the days that the server takes."""
        try:
            rows = self._answer(window, 1, self._page_size).rows
        except DateRangeError as error:
            accepted = self._accepted_part(window, error)
            return self._size_of_first_answer(accepted) if accepted else (0, 0)
        return len(rows), len({row_id(row) or fingerprint(row) for row in rows})

    # What the date range filters.

    def _next_window(self, last: Window) -> list[Window]:
        """The next window towards today, as long as the range may filter `updatedAt`.

        Then a record of the period that changed after it is listed under the day of its change.
        """
        today = self._today()
        if not self.facts.rows_may_leave or last.to_date >= today:
            return []
        return [Window(last.to_date, min(today, last.to_date + LONGEST_WINDOW))]

    def probe_day(self, created_on: date, /) -> None:
        """Ask for the days around one record's creation that leave out the day of its change."""
        window = Window(created_on - _DAY, min(created_on + 2 * _DAY, self._today()))
        if self._is_before_app(window):
            return
        try:
            rows = self._answer(window, 1, self._page_size).rows
        except DateRangeError as error:
            if error.entry != BEFORE_APP_CREATION and error.entry not in AFTER_TODAY:
                raise
            return  # the record is of the app's first day, or of the server's today: another record may show it
        for row in rows:
            learn(self.facts, window, instant(row, "createdAt"), instant(row, "updatedAt"))

    def probe_border(self, border: DayBorder, limit: int, pages: int, /) -> None:
        """Ask for the beginning of one day, to see whether the range filters `createdAt`."""

        def changed_at(transaction_id: str) -> datetime | None:
            try:
                record = transaction_by_id(self._calls, transaction_id)
            except NotFoundError:
                return None
            return instant(RawRow(Place(transaction_id, 1), record), "updatedAt")

        try:
            is_created = border.shows_created(
                lambda window, number: self._answer(window, number, limit).rows, changed_at, pages
            )
        except (DateRangeError, InvalidRequestError):
            return  # the server takes no such range, page or id: then readings must agree
        if is_created:
            self.facts.date_filter = DateFilter.CREATED

    # Which dates the server takes.

    def _check_clock(self, days: Period) -> None:
        """Raises ProtocolError where the server's clock is so late that days which are over would not be fetched."""
        today = self._server_now().date()
        if days.last > today + _DAY and days.last <= datetime.now(UTC).date():
            raise ProtocolError(
                "GET /transaction",
                message=f"its clock says {today}, and {days.last} is asked for: it takes no later date",
                advice="set this machine's clock, or tell KS Pay's support that the Date of its answers is wrong",
            )

    def _plan(self, days: Period) -> list[Window]:
        return plan(days, self._today(), self.first_accepted_day)

    def _today(self) -> date:
        return self._server_now().date() - self._days_behind

    def _is_before_app(self, window: Window) -> bool:
        return self.first_accepted_day is not None and window.from_date < self.first_accepted_day

    def _accepted_part(self, window: Window, refusal: DateRangeError) -> Window | None:
        """The days that the server takes of a window that it refused; None: no day of it.

        Raises the refusal where it contradicts what is known.
        """
        first = self.first_accepted_day
        if refusal.entry == BEFORE_APP_CREATION and (first is None or window.from_date < first):
            self.first_accepted_day = first = self._find_first_accepted(window.from_date)
        elif refusal.entry in AFTER_TODAY and not self._days_behind:
            self._days_behind = _DAY  # the server's today is still the day before the UTC day
        else:
            raise refusal
        start, end = max(window.from_date, first or window.from_date), min(window.to_date, self._today())
        return Window(start, end) if start < end else None

    def _plan_again(
        self, error: DateRangeError, days: Period, window: Window, rest: list[Window]
    ) -> list[Window]:
        """What to ask for instead, after the server refused the dates of `window`."""
        if error.entry == BEFORE_APP_CREATION and self.first_accepted_day is None:
            try:
                self.first_accepted_day = self._find_first_accepted(window.from_date)
            except DateRangeError as later:
                if later.entry not in AFTER_TODAY or self._days_behind:
                    raise
                self._days_behind = _DAY  # the app is so new that only the last days may be asked for
            return self._plan(days)
        if error.entry in AFTER_TODAY and not self._days_behind and not rest:
            # The server's today is not the UTC day, as assumed, but still the day before.
            self._days_behind = _DAY
            shorter = window.to_date - _DAY
            return [Window(window.from_date, shorter)] if window.from_date < shorter else []
        error.advice = f"it contradicts its own rules for {window}: tell KS Pay's support"
        raise error

    def _find_first_accepted(self, refused: date) -> date:
        """The earliest accepted `fromDate` after `refused`, by bisection; today if none before is."""
        low, high = refused, self._today()
        while (high - low).days > 1:
            middle = low + (high - low) // 2
            if self._accepts(middle):
                high = middle
            else:
                low = middle
        return high

    def _accepts(self, day: date) -> bool:
        try:
            self._answer(Window(day, day + _DAY), 1, self._page_size)
        except DateRangeError as error:
            if error.entry != BEFORE_APP_CREATION:
                raise
            return False
        return True

    # Until when the last days are listed.

    def _note_what_may_lack(self, days: Period) -> None:
        """Set `may_lack_from`, where no row shows that the last days are listed to their end."""
        last, is_updated = self._today(), self.facts.date_filter is DateFilter.UPDATED
        if days.last + 2 * _DAY <= last and not is_updated:
            return
        now = self._server_now()
        needed = min(now, midnight(days.last + _DAY))
        if is_updated:
            needed = now  # what changed since stands on no earlier day either
        if not self._days_behind:
            needed = min(needed, midnight(last) + QUARTER)  # it is enough that its today is listed
        last_day = LastDay(last)
        for read in self.windows_read:
            last_day.add(read.window, read.last_at)
        seen = [
            at
            for read in self.windows_read
            for at in (read.first_at, read.last_at, read.latest_clock)
            if at is not None and not outside(read.window, at)
        ]
        if not seen:
            return  # where nothing is listed at all, a warning every night would be useless
        for window in last_day.windows_to_probe(seen, needed):
            if not last_day.covers(needed):
                self._probe_last_day(last_day, window)
        if not last_day.covers(needed):
            self.may_lack_from = last_day.listed_until

    def _probe_last_day(self, last_day: LastDay, window: Window) -> None:
        if self._is_before_app(window):
            return
        try:
            rows = self._answer(window, 1, self._page_size).rows
        except (DateRangeError, InvalidRequestError):
            return  # the windows of the period are proven; this one was only to show more
        for row in rows:
            last_day.add(window, instant(row, "createdAt"))


def _was_created_outside(row: RawRow, days: Period) -> bool:
    created = instant(row, "createdAt")
    return created is not None and outside(Window(days.first, days.last), created)
