"""The client: KS Pay's calls as methods."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from reconcile.core.records import Period, Place, RawRow
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import (
    AFTER_TODAY,
    BEFORE_APP_CREATION,
    DateRangeError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
)
from reconcile.kspay.http.auth import AuthorizedCalls, TokenKeeper
from reconcile.kspay.http.server_clock import ServerClock
from reconcile.kspay.http.transport import BACKOFF_SECONDS, Transport
from reconcile.kspay.lookup import transaction_by_id, transaction_by_reference
from reconcile.kspay.paging.date_filter import DayBorder, learn, outside
from reconcile.kspay.paging.facts import DateFilter, ServerFacts
from reconcile.kspay.paging.last_day import QUARTER, LastDay, midnight
from reconcile.kspay.paging.listing import (
    Listing,
    Page,
    describe,
    fingerprint,
    instant,
    read_listing,
    row_id,
    text_of,
)
from reconcile.kspay.paging.prefetch import Prefetcher
from reconcile.kspay.paging.window_reader import WindowReader
from reconcile.kspay.paging.window_splitter import Size, WindowSplitter
from reconcile.kspay.paging.windows import LONGEST_WINDOW, Window, WindowRecord, plan
from reconcile.kspay.payments import Payments

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CurrencyInfo:
    """A currency that the merchant may use. `code` is None where KS Pay leaves it out."""

    id: str
    code: str | None
    name: str | None
    symbol: str | None
    type: str | None
    is_active: bool


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A way to pay in one currency."""

    id: str
    name: str | None
    is_active: bool


class KSPay:
    """One app at KS Pay. A context manager: leaving it closes the connections.

    `page_size` is the `limit` that is asked for, which the server may cap; `concurrency` the pages of
    a window that are asked for at once, 1 for one after the other. A call that fails in a way
    that may pass is repeated until no good answer came for `give_up_seconds`; the first wait is a
    random part of `backoff_seconds`. Requests are sent as JSON, or form-encoded with `form`. Every
    method raises `errors.CallError`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        page_size: int = 100,
        concurrency: int = 4,
        give_up_seconds: float = 120,
        backoff_seconds: float = BACKOFF_SECONDS,
        form: bool = False,
    ) -> None:
        self._page_size = page_size
        self._clock = ServerClock()
        self._transport = Transport(credentials, self._clock, give_up_seconds, backoff_seconds, form)
        self._tokens = TokenKeeper(self._transport, credentials, self._clock)
        self._calls = AuthorizedCalls(self._transport, self._tokens)
        self.payments = Payments(credentials, self._transport, self._tokens, self._calls, backoff_seconds)
        """The calls that begin, process and confirm single payments."""
        self._days_behind = timedelta()
        self.first_accepted_day: date | None = None
        """The earliest `fromDate` that the server takes, once an earlier one was refused; else None."""
        self.may_lack_from: datetime | None = None
        """From when on records of the days fetched may be missing, UTC: not all that the server lists up to its today
        was shown to be listed yet. None: none."""
        self.windows_read: list[WindowRecord] = []
        """How each window was read, in the order in which they were proven complete."""
        self._server = ServerFacts()
        self._splitter = WindowSplitter(page_size)
        self._concurrency = concurrency
        self._workers = (
            ThreadPoolExecutor(concurrency, thread_name_prefix="kspay") if concurrency > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Break off what is under way, stop the workers and close all connections.

        Waits for no answer, but for at most CONNECT_TIMEOUT where a connection is just being made.
        """
        self._transport.break_off()
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=True)
        self._transport.close()

    def server_today(self) -> date:
        """The server's UTC day. Gets a token first if the server has not been heard yet."""
        if not self._clock.known:
            self._tokens.current()
        return self._clock.now().date()

    def currencies(self) -> list[CurrencyInfo]:
        """`GET /currencies`."""
        call = "GET /currencies"
        return [
            CurrencyInfo(
                id=_id(call, row, "currencyId"),
                code=text_of(row, "code"),
                name=text_of(row, "name"),
                symbol=text_of(row, "symbol"),
                type=text_of(row, "type"),
                is_active=_is_active(row),
            )
            for row in self._list(call, "/currencies")
        ]

    def payment_methods(self, currency_id: str) -> list[PaymentMethod]:
        """`GET /{currencyId}/payment-methods`."""
        path = f"/{quote(currency_id, safe='')}/payment-methods"
        call = f"GET {path}"
        return [
            PaymentMethod(_id(call, row, "paymentMethodId"), text_of(row, "name"), _is_active(row))
            for row in self._list(call, path)
        ]

    def transaction(self, transaction_id: str) -> dict[str, Any]:
        """`GET /transaction/txnId/{txnId}`: the record as it came, without its signature."""
        return transaction_by_id(self._calls, transaction_id)

    def transaction_by_reference(self, reference_number: str) -> dict[str, Any]:
        """`GET /transaction/referenceNo/{referenceNumber}`: see `lookup.transaction_by_reference`."""
        return transaction_by_reference(self._calls, reference_number)

    def transactions(self, days: Period) -> Iterator[Page]:
        """Fetch All Transactions: every record of these UTC days, first and last included, by page.

        Records of the days around may come too, and a record may come more than once: where windows
        meet, and when it changed meanwhile. Pages of a further reading come too, most of them without
        rows. Nothing is asked beyond the server's today.
        """
        self._check_clock(days)
        windows = deque(self._plan(days))
        done = rows_so_far = 0
        beyond = False  # whether the period itself has been read
        while windows:
            window = windows.popleft()
            reader = self._reader(window)
            batches = reader.read()
            try:
                batch = next(batches, None)
            except DateRangeError as error:
                if reader.has_answer:
                    raise
                windows = deque(self._plan_anew(error, days, window, list(windows)))
                continue
            done += 1
            while batch is not None:
                rows = batch.rows
                if beyond:
                    rows = [row for row in rows if not _created_outside(row, days)]
                rows_so_far += len(rows)
                if rows or batch.reading > 1:
                    yield Page(
                        rows,
                        window,
                        batch.page,
                        done,
                        done + len(windows),
                        rows_so_far,
                        batch.reading,
                        batch.rows_of_reading,
                        batch.rows_expected,
                    )
                batch = next(batches, None)
            if self._server.page_ignored:
                parts = self._splitter.parts(window, reader.first_answer)
                if parts:
                    windows.extendleft(reversed(parts))
                    continue
            self.windows_read.append(reader.record)
            if not windows:
                beyond = True
                windows.extend(self._further(window))
        self._splitter.settle(self._first_answer, self.first_accepted_day, self._today())
        self._note_what_may_lack(days)

    def _reader(self, window: Window) -> WindowReader:
        return WindowReader(
            Prefetcher(
                lambda number, limit, unwanted: self._listing(window, number, limit, unwanted), self._workers
            ),
            window,
            self._page_size,
            self._concurrency,
            self._server,
            self._probe_day,
            self._probe_border,
        )

    def _first_answer(self, window: Window) -> Size:
        """How many rows the first answer holds, and how many differ; none outside the days that are taken."""
        try:
            rows = self._listing(window, 1, self._page_size).rows
        except DateRangeError as error:
            taken = self._taken_of(window, error)
            return self._first_answer(taken) if taken else (0, 0)
        return len(rows), len({row_id(row) or fingerprint(row) for row in rows})

    def _taken_of(self, window: Window, refusal: DateRangeError) -> Window | None:
        """What the server takes of a window that it refused; None: no day of it. Raises a refusal it cannot mean."""
        first = self.first_accepted_day
        if refusal.entry == BEFORE_APP_CREATION and (first is None or window.from_date < first):
            self.first_accepted_day = first = self._find_first_accepted(window.from_date)
        elif refusal.entry in AFTER_TODAY and not self._days_behind:
            self._days_behind = _DAY  # the server's today is still the day before the UTC day
        else:
            raise refusal
        start, end = max(window.from_date, first or window.from_date), min(window.to_date, self._today())
        return Window(start, end) if start < end else None

    def _further(self, last: Window) -> list[Window]:
        """The next window towards today, as long as the range may filter `updatedAt`.

        Then a record of the period that changed after it is listed under the day of its change.
        """
        today = self._today()
        if self._server.date_filter is DateFilter.CREATED or last.to_date >= today:
            return []
        return [Window(last.to_date, min(today, last.to_date + LONGEST_WINDOW))]

    def _probe_day(self, created_on: date) -> None:
        """Ask for the days around one record's creation that leave out the day of its change."""
        window = Window(created_on - _DAY, min(created_on + 2 * _DAY, self._today()))
        if self.first_accepted_day is not None and window.from_date < self.first_accepted_day:
            return
        try:
            rows = self._listing(window, 1, self._page_size).rows
        except DateRangeError as error:
            if error.entry != BEFORE_APP_CREATION and error.entry not in AFTER_TODAY:
                raise
            return  # the record is of the app's first day, or of the server's today: another one may tell
        for row in rows:
            learn(self._server, window, instant(row, "createdAt"), instant(row, "updatedAt"))

    def _probe_border(self, border: DayBorder, limit: int, pages: int) -> None:
        """Ask for the beginning of one day, to see whether the range filters `createdAt`."""

        def changed_at(transaction_id: str) -> datetime | None:
            try:
                record = self.transaction(transaction_id)
            except NotFoundError:
                return None
            return instant(RawRow(Place(transaction_id, 1), record), "updatedAt")

        try:
            created = border.shows_created(
                lambda window, number: self._listing(window, number, limit).rows, changed_at, pages
            )
        except (DateRangeError, InvalidRequestError):
            return  # the server takes no such range, page or id: then readings must agree
        if created:
            self._server.date_filter = DateFilter.CREATED

    def _check_clock(self, days: Period) -> None:
        """Raises ProtocolError where the server's clock would let days pass that are over by ours."""
        today = self.server_today()
        if days.last > today + _DAY and days.last <= datetime.now(UTC).date():
            raise ProtocolError(
                "GET /transaction",
                message=f"its clock says {today}, and {days.last} is asked for: it takes no later date",
                advice="set this machine's clock, or tell KS Pay's support that the Date of its answers is wrong",
            )

    def _plan(self, days: Period) -> list[Window]:
        return plan(days, self._today(), self.first_accepted_day)

    def _today(self) -> date:
        return self.server_today() - self._days_behind

    def _note_what_may_lack(self, days: Period) -> None:
        """Since when records may be missing, where the last days cannot be shown to be listed to their end yet."""
        last, updated = self._today(), self._server.date_filter is DateFilter.UPDATED
        if days.last + 2 * _DAY <= last and not updated:
            return
        now = self._clock.now()
        needed = min(now, midnight(days.last + _DAY))
        if updated:
            needed = now  # what changed since stands on no earlier day either
        if not self._days_behind:
            needed = min(needed, midnight(last) + QUARTER)  # that its today is listed is enough
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
            return  # where nothing is listed at all, nothing is told every night
        for window in last_day.windows_to_probe(seen, needed):
            if not last_day.covers(needed):
                self._probe_last_day(last_day, window)
        if not last_day.covers(needed):
            self.may_lack_from = last_day.listed_until

    def _probe_last_day(self, last_day: LastDay, window: Window) -> None:
        if self.first_accepted_day is not None and window.from_date < self.first_accepted_day:
            return
        try:
            rows = self._listing(window, 1, self._page_size).rows
        except (DateRangeError, InvalidRequestError):
            return  # the windows that were asked for are proven: this one tells nothing
        for row in rows:
            last_day.add(window, instant(row, "createdAt"))

    def _plan_anew(
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
            self._listing(Window(day, day + _DAY), 1, self._page_size)
        except DateRangeError as error:
            if error.entry != BEFORE_APP_CREATION:
                raise
            return False
        return True

    def _listing(
        self, window: Window, number: int, limit: int, unwanted: threading.Event | None = None
    ) -> Listing:
        call = f"GET /transaction {window} page {number}"
        params = {
            "fromDate": window.from_date.isoformat(),
            "toDate": window.to_date.isoformat(),
            "page": str(number),
            "limit": str(limit),
        }
        try:
            return read_listing(call, self._calls.get(call, "/transaction", params, unwanted))
        except NotFoundError as error:
            if error.entry != "noDataFound":
                raise
            return Listing([], None)  # a documented way (24) to say that there is nothing to list

    def _list(self, call: str, path: str) -> list[Mapping[str, Any]]:
        rows = self._calls.get(call, path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProtocolError(call, 200, message=f"the answer is no list of objects but {describe(rows)}")
        return rows


def _created_outside(row: RawRow, days: Period) -> bool:
    created = instant(row, "createdAt")
    return created is not None and outside(Window(days.first, days.last), created)


def _id(call: str, row: Mapping[str, Any], other_name: str) -> str:
    """The id, which the guide calls `id` in one half and `currencyId` or `paymentMethodId` in the other."""
    value = text_of(row, "id") or text_of(row, other_name)
    if value is None:
        raise ProtocolError(call, 200, message=f"an entry has neither id nor {other_name}: {describe(row)}")
    return value


def _is_active(row: Mapping[str, Any]) -> bool:
    """Active unless the server says otherwise, in either of its two fields."""
    return row.get("isActive") is not False and row.get("isDisabled") is not True
