"""A KS Pay server over one made-up merchant: all ten calls of the known API, over real HTTP.

What the integration guide (version 1.0.0) leaves open is chosen here as follows. Fetch All Transactions:
days are UTC days, `toDate` is included and may not be `fromDate` itself, 90 days count both ends, the
range is of `createdAt`, newest first, 10 a page unless asked, a larger `limit` than the largest is capped
silently. Process: the body names the transaction as `pe_txnId` and may say how the payment ends as
`payment_status` (`success`, else any other word of KS Pay's).
"""

import ipaddress
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from reconcile.errors import UsageError
from reconcile.money import decimals, parse_amount
from reconcile.sandbox.listing import Listing
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.refusals import Refused
from reconcile.sandbox.shop import ID_LENGTH, MINOR_DIGITS, WORDS, Record, wire_time
from reconcile.sandbox.tokens import ACCESS, SIGNATURE, ExpiredError, ForgedError, MalformedError, Tokens

BASE_PATH = "/v1"
DEFAULT_LIMIT = 10
MAX_DAYS = 90

_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Sandbox:
    """A running server and the credentials of its merchant."""

    base_url: str
    app_id: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def app(
    merchant: Merchant, *, token_seconds: float = 900, refresh_seconds: float = 86_400, max_limit: int = 500
) -> Starlette:
    """The server as an ASGI application; access tokens and signatures live `token_seconds`."""
    tokens = Tokens(
        merchant.app_id,
        merchant.secret_key,
        access_seconds=token_seconds,
        refresh_seconds=refresh_seconds,
    )
    api = _Api(merchant, tokens, max_limit)
    return Starlette(
        routes=[Mount(BASE_PATH, routes=api.routes())],
        exception_handlers={
            Refused: _answer_refused,
            404: _answer_unknown_url,
            405: _answer_unknown_url,
            Exception: _answer_fault,
        },
    )


@contextmanager
def serve(
    merchant: Merchant,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token_seconds: float = 900,
    refresh_seconds: float = 86_400,
    max_limit: int = 500,
) -> Iterator[Sandbox]:
    """Serve a merchant on a loopback address until the block ends; port 0 takes a free one.

    Raises UsageError for any other address, and for a port that cannot be had.
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
    # Accepted connections inherit this. Asyncio would set it only on sockets made with the protocol's
    # number; without it every small answer waits 40 ms for the other side's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(
        uvicorn.Config(
            app(merchant, token_seconds=token_seconds, refresh_seconds=refresh_seconds, max_limit=max_limit),
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
    )
    # The socket listens already, so the first calls wait for the thread instead of being refused.
    thread = threading.Thread(target=server.run, args=([listener],), name="kspay-sandbox", daemon=True)
    thread.start()
    try:
        yield Sandbox(
            base_url=f"http://{host}:{listener.getsockname()[1]}{BASE_PATH}",
            app_id=merchant.app_id,
            access_key=merchant.access_key,
            secret_key=merchant.secret_key,
        )
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


class _Api:
    """The ten calls. State changes only between two awaits of the one event loop, so it needs no lock."""

    def __init__(self, merchant: Merchant, tokens: Tokens, max_limit: int) -> None:
        self._merchant = merchant
        self._tokens = tokens
        self._max_limit = max_limit
        self._listing = Listing(merchant.transactions)
        self._currencies = {currency["id"]: currency for currency in merchant.currencies}
        self._methods = merchant.payment_methods
        self._rng = Random()

    def routes(self) -> list[Route]:
        return [
            Route("/auth/generate-token/{app_id}", self.generate_token, methods=["POST"]),
            Route("/auth/generate-signature/{app_id}", self.generate_signature, methods=["POST"]),
            Route("/auth/refresh-token", self.refresh_token, methods=["POST"]),
            Route("/currencies", self.list_currencies, methods=["GET"]),
            Route("/{currency_id}/payment-methods", self.list_payment_methods, methods=["GET"]),
            Route("/transaction/initiate", self.initiate, methods=["POST"]),
            Route("/transaction/process", self.process, methods=["POST"]),
            Route("/transaction/txnId/{transaction_id}", self.by_id, methods=["GET"]),
            # References may hold a slash, which arrives here decoded.
            Route("/transaction/referenceNo/{reference:path}", self.by_reference, methods=["GET"]),
            Route("/transaction", self.list_transactions, methods=["GET"]),
        ]

    async def generate_token(self, request: Request) -> Response:
        self._check_app(request.path_params["app_id"])
        self._check_keys(await _body(request))
        return _success(self._tokens.pair(), 201)

    async def generate_signature(self, request: Request) -> Response:
        self._check_app(request.path_params["app_id"])
        self._check_keys(await _body(request))
        return _success(self._tokens.signature(), 201)

    async def refresh_token(self, request: Request) -> Response:
        body = await _body(request)
        token = request.headers.get("authorization")
        if not token:
            raise Refused("auth", "authTokenMissing")
        if body:  # a public front end sends an empty object
            self._check_keys(body)
        try:
            return _success(self._tokens.refresh(token), 201)
        except ExpiredError:
            raise Refused("auth", "refreshTokenExpired") from None
        except (MalformedError, ForgedError):
            raise Refused("auth", "invalidRefreshToken") from None

    async def list_currencies(self, request: Request) -> Response:
        self._check_bearer(request)
        return _success(list(self._currencies.values()))

    async def list_payment_methods(self, request: Request) -> Response:
        self._check_bearer(request)
        return _success(self._methods[self._known_currency(request.path_params["currency_id"])["id"]])

    async def initiate(self, request: Request) -> Response:
        if "x-signature" in request.headers:
            self._check_signature(request)
        else:
            self._check_bearer(request)
        body = await _body(request)
        currency_id, method_id, amount, reference = _required(
            body, "currencyId", "paymentMethodId", "amount", "referenceNumber"
        )
        if "appId" in body:
            self._check_app(str(body["appId"]))
        currency = self._known_currency(str(currency_id))
        if not currency["isActive"]:
            raise Refused("gatewayErrors", "invalidCurrencyId")
        _check_shape(str(method_id), "pm_")
        method = next((m for m in self._methods[currency["id"]] if m["id"] == method_id), None)
        if method is None:
            raise Refused("paymentMethod", "paymentMethodNotFound")
        now = datetime.now(UTC)
        transaction = self._merchant.shop.transaction(
            self._rng,
            family="pending",
            reference=str(reference),
            amount=_payable(amount, MINOR_DIGITS[currency["code"]]),
            currency=currency["code"],
            method=method["name"],
            created_at=now,
            updated_at=now,
        )
        self._listing.add(transaction)
        result = {
            "pe_txnId": transaction["id"],
            "providerOrderId": transaction["providerOrderId"],
            "amount": transaction["amount"],
            "currency": transaction["currencyCode"],
            "gateway": transaction["providerName"],
            "method": transaction["paymentType"],
            "mode": "sandbox",
            "config": {},
        }
        return _success(result, 201)

    async def process(self, request: Request) -> Response:
        self._check_signature(request)
        body = await _body(request)
        (transaction_id,) = _required(body, "pe_txnId")
        transaction = self._known_transaction(str(transaction_id))
        if transaction["status"] in WORDS["pending"]:  # else the payment has ended before
            status = str(body.get("payment_status", "success"))
            paid = status.lower() == "success"
            payment = self._merchant.shop.payment_id(self._rng, transaction["providerName"])
            transaction |= {
                "status": status,
                "providerStatus": "captured" if paid else status,
                "providerTxnId": payment,
                "isPaid": paid,
                "updatedAt": wire_time(datetime.now(UTC)),
            }
            self._listing.replace(transaction)
        order = {
            "id": transaction["providerOrderId"],
            "pe_txnId": transaction["id"],
            "amount": transaction["amount"],
            "currency": transaction["currencyCode"],
            "status": transaction["status"],
            "provider_payment_id": transaction["providerTxnId"],
        }
        return _success({"order": order}, 201)

    async def by_id(self, request: Request) -> Response:
        self._check_bearer(request)
        return _success(self._known_transaction(request.path_params["transaction_id"]))

    async def by_reference(self, request: Request) -> Response:
        self._check_bearer(request)
        transaction = self._listing.by_reference(request.path_params["reference"])
        if transaction is None:
            raise Refused("systemError", "noDataFound")
        return _success(transaction)

    async def list_transactions(self, request: Request) -> Response:
        self._check_bearer(request)
        query = request.query_params
        days = self._days(query)
        page = _positive(query.get("page", "1"), "pageShouldBePositive")
        limit = _positive(query.get("limit", str(DEFAULT_LIMIT)), "limitShouldBePositive")
        rows = self._listing.page(days, page, min(limit, self._max_limit))
        envelope = b'{"status":200,"message":"success","result":' + rows + b"}"
        return Response(envelope, media_type="application/json")

    def _days(self, query: Mapping[str, str]) -> tuple[date, date] | None:
        texts = query.get("fromDate"), query.get("toDate")
        if texts == (None, None):
            return None
        if None in texts:
            raise Refused("customErrors", "startAndEndDateRequired")
        first, last = (_day(text or "") for text in texts)
        today = datetime.now(UTC).date()
        if first > today:
            raise Refused("customErrors", "startDateAfterToday")
        if last > today:
            raise Refused("customErrors", "endDateAfterToday")
        if first >= last:
            raise Refused("customErrors", "dateRangeError")
        if first < self._merchant.created_on:
            raise Refused("customErrors", "startDateBeforeAppCreation")
        if (last - first).days + 1 > MAX_DAYS:
            raise Refused("customErrors", "datesExceedError")
        return first, last

    def _check_app(self, app_id: str) -> None:
        _check_shape(app_id, "ap_")
        if app_id != self._merchant.app_id:
            raise Refused("keyVaultErrors", "appNotFound")

    def _check_keys(self, body: Record) -> None:
        # The guide's second half spells the first field in lower case.
        if "accessKey" not in body and "accesskey" in body:
            body = body | {"accessKey": body["accesskey"]}
        access_key, secret_key = _required(body, "accessKey", "secretKey")
        if access_key != self._merchant.access_key:
            raise Refused("keyVaultErrors", "credentialsNotFound")
        if secret_key != self._merchant.secret_key:
            raise Refused("keyVaultErrors", "invalidSecretKey")

    def _check_bearer(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused("auth", "authTokenMissing")
        try:
            self._tokens.check(token, ACCESS)
        except MalformedError:
            raise Refused("auth", "authTokenMissing") from None
        except ForgedError:
            raise Refused("auth", "unauthorized") from None
        except ExpiredError:
            raise Refused("auth", "tokenExpired") from None

    def _check_signature(self, request: Request) -> None:
        signature = request.headers.get("x-signature")
        if not signature:
            raise Refused("auth", "authTokenMissing")
        try:
            self._tokens.check(signature, SIGNATURE)
        except MalformedError:
            raise Refused("keyVaultErrors", "invalidSignatureFormat") from None
        except ForgedError:
            raise Refused("keyVaultErrors", "accessKeyMismatch") from None
        except ExpiredError:
            raise Refused("keyVaultErrors", "signatureExpired") from None

    def _known_currency(self, currency_id: str) -> Record:
        _check_shape(currency_id, "c_")
        try:
            return self._currencies[currency_id]
        except KeyError:
            raise Refused("currencyModule", "currencyNotExists") from None

    def _known_transaction(self, transaction_id: str) -> Record:
        _check_shape(transaction_id, "tx_")
        transaction = self._listing.by_id(transaction_id)
        if transaction is None:
            raise Refused("systemError", "noDataFound")
        return transaction


def _success(result: Any, status: int = 200) -> Response:
    return JSONResponse({"status": status, "message": "success", "result": result}, status_code=status)


async def _body(request: Request) -> Record:
    """The fields of a JSON or form-encoded body; a number with a point is a Decimal."""
    raw = await request.body()
    try:
        text = raw.decode()
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(text, keep_blank_values=True))
        body = json.loads(text, parse_float=Decimal, parse_constant=_no_constant) if text else {}
        for value in body.values() if isinstance(body, dict) else ():
            if isinstance(value, str):
                value.encode()  # JSON may escape half a character, which no answer could hold
    except (ValueError, RecursionError):
        raise Refused("systemError", "invalidRequest") from None
    if not isinstance(body, dict):
        raise Refused("systemError", "invalidRequest")
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _required(body: Record, *names: str) -> list[Any]:
    for name in names:
        if body.get(name) in (None, ""):
            raise Refused("general", "InvalidId", id=name)
    return [body[name] for name in names]


def _payable(amount: object, digits: int) -> Decimal:
    try:
        value = parse_amount("" if isinstance(amount, bool) else str(amount))
    except ValueError:
        raise Refused("systemError", "invalidRequest") from None
    if value <= 0:
        raise Refused("systemError", "invalidRequest")
    if decimals(value) > digits:
        raise Refused("general", "decimalValueAmountError", decimalValue=digits)
    return value


def _check_shape(identity: str, prefix: str) -> None:
    rest = identity.removeprefix(prefix)
    if rest == identity or len(identity) != ID_LENGTH or not (rest.isascii() and rest.isalnum()):
        raise Refused("general", "invalidNanoid", prefix=prefix, length=ID_LENGTH)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused("systemError", "invalidRequest") from None
    if day.isoformat() != text:  # other ISO 8601 spellings, such as 20260801
        raise Refused("systemError", "invalidRequest")
    return day


def _positive(text: str, refusal: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise Refused("pagination", refusal)
    return int(text)


async def _answer_refused(_: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    return refused.answer()


async def _answer_unknown_url(request: Request, _: Exception) -> Response:
    message = f"Cannot {request.method} {request.url.path}"
    return Refused("general", "NotFoundUrl", message=message).answer()


async def _answer_fault(_request: Request, _: Exception) -> Response:
    return Refused("systemError", "oopsSomethingWentWrong").answer()
