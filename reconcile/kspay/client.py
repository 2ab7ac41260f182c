"""The client: KS Pay's calls as methods."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from reconcile.core.records import Period
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.errors import ProtocolError
from reconcile.kspay.http.auth import AuthorizedCalls, TokenKeeper
from reconcile.kspay.http.server_clock import ServerClock
from reconcile.kspay.http.transport import BACKOFF_SECONDS, Transport
from reconcile.kspay.lookup import transaction_by_id, transaction_by_reference
from reconcile.kspay.paging.listing import Page, describe, text_of
from reconcile.kspay.paging.period_reader import PeriodReader
from reconcile.kspay.paging.windows import WindowRecord
from reconcile.kspay.payments import Payments


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

    `page_size` is the `limit` that is asked for; the server may give fewer rows. None: 100, and 1,000 where the server
    gives more. `concurrency` pages of a window are asked for at once; 1: one after the other. A call that failed for a
    reason that may pass is repeated until no good answer came for `give_up_seconds`. The first wait is a random part of
    `backoff_seconds`. Requests are sent as JSON, or form-encoded with `form`. Every method raises `errors.CallError`.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        page_size: int | None = None,
        concurrency: int = 4,
        give_up_seconds: float = 120,
        backoff_seconds: float = BACKOFF_SECONDS,
        form: bool = False,
    ) -> None:
        self._clock = ServerClock()
        self._transport = Transport(credentials, self._clock, give_up_seconds, backoff_seconds, form)
        self._tokens = TokenKeeper(self._transport, credentials, self._clock)
        self._calls = AuthorizedCalls(self._transport, self._tokens)
        self._workers = (
            ThreadPoolExecutor(concurrency, thread_name_prefix="kspay") if concurrency > 1 else None
        )
        self._period_reader = PeriodReader(
            self._calls, self.server_now, page_size, concurrency, self._workers
        )
        self.payments = Payments(credentials, self._transport, self._tokens, self._calls, backoff_seconds)
        """The calls that begin, process and confirm single payments."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all requests that are under way, stop the workers and close all connections.

        It waits for no answer. Where a connection is just being made, it waits for at most CONNECT_TIMEOUT.
        """
        self._transport.abort()
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=True)
        self._transport.close()

    @property
    def repeated_requests(self) -> int:
        """Requests that were repeated after a refusal, an error or no answer; a token that ended is none of these."""
        return self._transport.repeated

    def server_now(self) -> datetime:
        """The server's time, aware, in UTC. Gets tokens first if the server has not answered yet."""
        if not self._clock.known:
            self._tokens.current()
        return self._clock.now()

    def server_today(self) -> date:
        """The server's UTC day."""
        return self.server_now().date()

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
        """Fetch All Transactions, `GET /transaction`: see `PeriodReader.pages`."""
        return self._period_reader.pages(days)

    @property
    def windows_read(self) -> list[WindowRecord]:
        """How each window was read, in the order in which they were proven complete."""
        return self._period_reader.windows_read

    @property
    def may_lack_from(self) -> datetime | None:
        """See `PeriodReader.may_lack_from`."""
        return self._period_reader.may_lack_from

    @property
    def first_accepted_day(self) -> date | None:
        """See `PeriodReader.first_accepted_day`. Setting one that is known saves requests."""
        return self._period_reader.first_accepted_day

    @first_accepted_day.setter
    def first_accepted_day(self, day: date | None) -> None:
        self._period_reader.first_accepted_day = day

    def _list(self, call: str, path: str) -> list[Mapping[str, Any]]:
        rows = self._calls.get(call, path)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProtocolError(call, 200, message=f"the answer is no list of objects but {describe(rows)}")
        return rows


def _id(call: str, row: Mapping[str, Any], other_name: str) -> str:
    """The id, which the guide calls `id` in one half and `currencyId` or `paymentMethodId` in the other."""
    value = text_of(row, "id") or text_of(row, other_name)
    if value is None:
        raise ProtocolError(call, 200, message=f"an entry has neither id nor {other_name}: {describe(row)}")
    return value


def _is_active(row: Mapping[str, Any]) -> bool:
    """Active unless the server says otherwise, in either of its two fields."""
    return row.get("isActive") is not False and row.get("isDisabled") is not True
