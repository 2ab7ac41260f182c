"""A KS Pay server for one made-up merchant: all ten calls of the known API, over real HTTP.

The integration guide (version 1.0.0) leaves parts of Fetch All Transactions open. A `Behaviour` chooses them. By
default days are UTC days, `toDate` is included and must be after `fromDate`, the 90 days count both ends, the range is
of `createdAt`, the newest rows are first, a page has 10 rows unless `limit` says otherwise, and a `limit` above 500
silently becomes 500.

The body of process names the transaction as `pe_txnId`. It may say how the payment ends as `payment_status`: `success`,
or another status of KS Pay. If initiate answered with the signature of a payment, process needs no body.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reconcile.core.errors import UsageError
from reconcile.sandbox import bad_records
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.bulk import Bulk
from reconcile.sandbox.calls import Api
from reconcile.sandbox.faults import TRANSPORT
from reconcile.sandbox.listing import Listing
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.openapi import description
from reconcile.sandbox.refusals import Refused
from reconcile.sandbox.shop import Record

BASE_PATH = "/v1"


@dataclass(frozen=True)
class Sandbox:
    """A running server, and the credentials of its merchant. Any thread may call any method."""

    base_url: str
    app_id: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    _api: Api = field(repr=False)

    @property
    def requests(self) -> dict[str, int]:
        """How many requests each call had, by its name: `list_transactions`, `by_id`, …"""
        return dict(self._api.faults.requests)

    @property
    def answers(self) -> dict[int, int]:
        """How many answers were sent, by HTTP status; 0 counts those that did not arrive whole."""
        return dict(self._api.faults.answers)

    def records(self) -> list[Record]:
        """All transactions that the server holds now, by time of creation."""
        return self._api.listing.records()

    def add(self, record: Record) -> None:
        """Add a transaction in the form in which KS Pay sends it, as if it had just been paid."""
        self._api.listing.add(record)

    def change(self, transaction_id: str, **fields: Any) -> Record:
        """Change fields of a transaction and return it. `updatedAt` becomes now, unless it is given.

        Raises KeyError for an unknown id.
        """
        return self._api.listing.change(transaction_id, self._api.now(), fields)


@contextmanager
def serve(
    merchant: Merchant,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    behaviour: Behaviour | None = None,
    rows: int | None = None,
) -> Iterator[Sandbox]:
    """Serve a merchant on a loopback address until the block ends. Port 0 takes a free port.

    With `rows`, that many transactions replace the merchant's own, spread evenly over its days; see `Bulk`.
    Raises UsageError for any other address, for a port that is not free, and for `rows` with a behaviour that changes
    transactions.
    """
    if host != "localhost" and not _is_loopback(host):
        raise UsageError(f"The sandbox serves this machine only, not {host}: use 127.0.0.1")
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise UsageError(
            f"The sandbox cannot listen on {host} port {port}: {reason}; choose another --port"
        ) from None
    # Accepted connections inherit this option. Asyncio sets it only on sockets that were made with the protocol's
    # number. Without it every small answer waits 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        behaviour = behaviour or Behaviour()
        api = Api(merchant, _listing(merchant, behaviour, rows), behaviour)
        server = uvicorn.Server(
            uvicorn.Config(
                _connected(_app(api), api if behaviour.clock_ahead else None),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                date_header=not behaviour.clock_ahead,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=2,
            )
        )
        # The socket already listens: the first requests wait until the thread runs, and are not refused.
        thread = threading.Thread(target=server.run, args=([listener],), name="kspay-sandbox", daemon=True)
        thread.start()
        try:
            yield Sandbox(
                base_url=f"http://{host}:{listener.getsockname()[1]}{BASE_PATH}",
                app_id=merchant.app_id,
                access_key=merchant.access_key,
                secret_key=merchant.secret_key,
                _api=api,
            )
        finally:
            server.should_exit = True
            thread.join()
    finally:
        listener.close()


def _listing(merchant: Merchant, behaviour: Behaviour, rows: int | None) -> Listing:
    days = (merchant.last_day - merchant.first_day).days + 1
    if rows is not None:
        if behaviour.bad_records or behaviour.arrive_every or behaviour.change_every:
            raise UsageError(
                "Rows made in bulk do not change: leave out the profiles that add or change records"
            )
        return Bulk(merchant.shop, merchant.first_day, days, rows, behaviour)
    listing = Listing(merchant.transactions, behaviour)
    middle = merchant.shop.day_end(merchant.first_day + timedelta(days=(days - 1) // 2)) - timedelta(hours=12)
    for number, kind in enumerate(behaviour.bad_records):
        bad_records.add_bad_record(listing, merchant.shop, kind, middle + timedelta(seconds=number))
    return listing


def _app(api: Api) -> Starlette:
    def published(request: Request) -> Response:
        return JSONResponse(description(str(request.base_url).rstrip("/") + BASE_PATH, api.examples()))

    return Starlette(
        routes=[Route("/openapi.json", published), Mount(BASE_PATH, routes=api.routes())],
        exception_handlers={404: _answer_unknown_url, 405: _answer_other_method, Exception: _answer_fault},
    )


def _connected(app: ASGIApp, clock: Api | None) -> ASGIApp:
    """The application with access to its connections, to break them; `clock` gives the time of its answers."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI cannot break a connection. The `send` of uvicorn is a method of the object that has it.
        scope[TRANSPORT] = send.__self__.transport  # type: ignore[attr-defined]

        async def dated(message: Message) -> None:
            if clock and message["type"] == "http.response.start":
                date = format_datetime(clock.now(), usegmt=True).encode()
                message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        await app(scope, receive, dated if clock else send)

    return answer


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


async def _answer_unknown_url(request: Request, _: Exception) -> Response:
    message = f"Cannot {request.method} {request.url.path}"
    return Refused("general", "NotFoundUrl", message=message).answer()


async def _answer_other_method(request: Request, error: Exception) -> Response:
    # The guide says nothing about other methods: this is HTTP's own answer (RFC 9110, 15.5.6).
    assert isinstance(error, HTTPException)
    content = {"status": 405, "code": -10, "message": f"Cannot {request.method} {request.url.path}"}
    return JSONResponse(content, 405, error.headers)


async def _answer_fault(_request: Request, _: Exception) -> Response:
    return Refused("systemError", "oopsSomethingWentWrong").answer()
