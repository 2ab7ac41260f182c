"""The ten calls: what each one checks, in this order, and what it answers."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NoReturn
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reconcile.core.money import decimals, parse_amount
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.faults import Endpoint, FaultInjector
from reconcile.sandbox.listing import Listing, TimeRange
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.openapi import CALLS
from reconcile.sandbox.refusals import Refused
from reconcile.sandbox.shop import ID_LENGTH, MINOR_DIGITS, WORDS, Record
from reconcile.sandbox.tokens import ACCESS, SIGNATURE, ExpiredError, ForgedError, MalformedError, Tokens

MAX_DAYS = 90
KEY_HEADERS = ("accessKey", "secretKey")


class Api:
    """The ten calls. One event loop runs them, and no change of state has an await in it, so no lock is needed."""

    def __init__(self, merchant: Merchant, listing: Listing, behaviour: Behaviour) -> None:
        self.listing = listing
        self.faults = FaultInjector(behaviour, [call.name for call in CALLS])
        self._merchant = merchant
        self._behaviour = behaviour
        self._tokens = Tokens(
            merchant.app_id,
            merchant.secret_key,
            access_seconds=behaviour.token_seconds,
            refresh_seconds=behaviour.refresh_seconds,
            access_uses=behaviour.token_requests,
            clock_ahead=behaviour.clock_ahead,
        )
        self._currencies = {currency["id"]: currency for currency in merchant.currencies}
        self._methods = merchant.payment_methods
        self._rng = Random()
        self._listings = 0

    def routes(self) -> list[Route]:
        """The calls, for Starlette."""
        return [
            Route(
                call.path, Endpoint(call.name, self._handler(call.name), self.faults), methods=[call.method]
            )
            for call in CALLS
        ]

    def examples(self) -> Record:
        """Values with which calls succeed, for the description. None is secret."""
        currency = next(held for held in self._merchant.currencies if held["isActive"])
        paid = next(
            (held for held in self._merchant.transactions if held["id"] and held["referenceNumber"]), {}
        )
        transaction_id = paid.get("id", "tx_" + "0" * (ID_LENGTH - 3))
        order = {
            "currencyId": currency["id"],
            "paymentMethodId": self._methods[currency["id"]][0]["id"],
            "amount": 345,
            "referenceNumber": "ORDER-1001",
        }
        return {
            "appId": self._merchant.app_id,
            "currencyId": currency["id"],
            "txnId": transaction_id,
            "referenceNumber": paid.get("referenceNumber", "ORDER-1001"),
            "Order": order,
            "Process": {"pe_txnId": transaction_id},
        }

    def now(self) -> datetime:
        """The time of the server's clock."""
        return datetime.now(UTC) + timedelta(seconds=self._behaviour.clock_ahead)

    async def generate_token(self, request: Request) -> Response:
        self._check_app(request.path_params["appId"])
        self._check_keys(await _body(request))
        return self._success(self._tokens.pair(), 201)

    async def generate_signature(self, request: Request) -> Response:
        self._check_app(request.path_params["appId"])
        self._check_keys(await _body(request))
        return self._success(self._tokens.signature(), 201)

    async def refresh_token(self, request: Request) -> Response:
        body = await _body(request)
        token = request.headers.get("authorization")
        if not token:
            raise Refused("auth", "authTokenMissing")
        if body:  # a public front end sends an empty object
            self._check_keys(body)
        if not self._behaviour.refreshes:
            raise Refused("auth", "refreshTokenExpired")
        try:
            return self._success(self._tokens.refresh(token), 201)
        except ExpiredError:
            raise Refused("auth", "refreshTokenExpired") from None
        except (MalformedError, ForgedError):
            raise Refused("auth", "invalidRefreshToken") from None

    async def list_currencies(self, request: Request) -> Response:
        self._check_bearer(request)
        return self._success(self._named(list(self._currencies.values()), "currencyId"))

    async def list_payment_methods(self, request: Request) -> Response:
        self._check_bearer(request)
        currency = self._known_currency(request.path_params["currencyId"])
        return self._success(self._named(self._methods[currency["id"]], "paymentMethodId"))

    async def removed(self, request: Request) -> Response:
        """A call that this server does not have."""
        raise Refused("general", "NotFoundUrl", message=f"Cannot {request.method} {request.url.path}")

    async def initiate(self, request: Request) -> Response:
        keys = {name: value for name in KEY_HEADERS if (value := request.headers.get(name))}
        if self._behaviour.keys_in_headers or (keys and "x-signature" not in request.headers):
            if not keys:
                raise Refused("auth", "authTokenMissing")
            self._check_keys(keys)
        elif "x-signature" in request.headers:
            self._check_signature(request)
        else:
            self._check_bearer(request)
        body = await _body(request)
        currency_id, method_id, amount, reference = _required(
            body, "currencyId", "paymentMethodId", "amount", "referenceNumber"
        )
        _check_texts(body, "referenceNumber", "redirectUrl", "interfaceType")
        if "appId" in body:
            self._check_app(str(body["appId"]))
        currency = self._known_currency(str(currency_id))
        if not currency["isActive"]:
            raise Refused("gatewayErrors", "invalidCurrencyId")
        _check_shape(str(method_id), "pm_")
        method = next((m for m in self._methods[currency["id"]] if m["id"] == method_id), None)
        if method is None:
            raise Refused("paymentMethod", "paymentMethodNotFound")
        now = self.now()
        transaction = self._merchant.shop.transaction(
            self._rng,
            family="pending",
            reference=reference,
            amount=_payable(amount, MINOR_DIGITS[currency["code"]]),
            currency=currency["code"],
            method=method["name"],
            created_at=now,
            updated_at=now,
        )
        self.listing.add(transaction)
        if self._behaviour.begun != "transaction":
            signature = self._tokens.signature(transaction["id"])
            return self._success(
                signature if self._behaviour.begun == "text" else {"signature": signature}, 201
            )
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
        return self._success(result, 201)

    async def process(self, request: Request) -> Response:
        signed = self._check_signature(request)
        body = await _body(request)
        if signed is not None and body.setdefault("pe_txnId", signed) != signed:
            raise Refused("systemError", "invalidRequest")  # the signature is of another payment
        (transaction_id,) = _required(body, "pe_txnId")
        _check_texts(body, "payment_status")
        transaction: Record = json.loads(
            self._known_transaction(str(transaction_id)).decode(errors="replace")
        )
        if transaction["status"] in WORDS["pending"]:  # else the payment has already ended
            status = body.get("payment_status", "success")
            paid = status.lower() == "success"
            payment = self._merchant.shop.payment_id(self._rng, transaction["providerName"])
            changed = {
                "status": status,
                "providerStatus": "captured" if paid else status,
                "providerTxnId": payment,
                "isPaid": paid,
            }
            transaction = self.listing.change(transaction["id"], self.now(), changed)
        if self._behaviour.processed == "details":
            return self._success(_details(transaction), 201)
        order = {
            "id": transaction["providerOrderId"],
            "pe_txnId": transaction["id"],
            "amount": transaction["amount"],
            "currency": transaction["currencyCode"],
            "status": transaction["status"],
            "provider_payment_id": transaction["providerTxnId"],
        }
        return self._success({"order": order}, 201)

    async def by_id(self, request: Request) -> Response:
        self._check_bearer(request)
        return self._success(self._known_transaction(request.path_params["txnId"]))

    async def by_reference(self, request: Request) -> Response:
        self._check_bearer(request)
        transaction = self.listing.by_reference(request.path_params["referenceNumber"])
        if transaction is None:
            raise Refused("systemError", "noDataFound")
        return self._success(transaction)

    async def list_transactions(self, request: Request) -> Response:
        self._check_bearer(request)
        query, behaviour = request.query_params, self._behaviour
        time_range = self._time_range(query)
        page = _positive(query.get("page", "1"), "pageShouldBePositive")
        size = behaviour.default_limit
        if "limit" in query:
            limit = _positive(query["limit"], "limitShouldBePositive")
            if behaviour.honours_limit:
                size = min(limit, behaviour.max_limit or limit)
        first = (page - 1) * (size or 0) if behaviour.honours_page else 0
        if size is None and page > 1 and behaviour.honours_page:
            rows, total = list[bytes](), 0  # page 1 has all rows
        else:
            rows, total = self.listing.page(time_range, first, size)
        result = b"[" + b",".join(rows) + b"]"
        if behaviour.rows_key or behaviour.total:
            counted = b""
            if behaviour.total:
                number = -(-total // (size or total or 1)) if behaviour.total == "totalPages" else total
                counted = b',"%s":%d' % (behaviour.total.encode(), max(0, number + behaviour.total_off))
            result = b'{"%s":%s%s}' % ((behaviour.rows_key or "data").encode(), result, counted)
        self._change_after_page(time_range)
        return self._success(result)

    def _time_range(self, query: Mapping[str, str]) -> TimeRange | None:
        texts = query.get("fromDate"), query.get("toDate")
        if texts == (None, None):
            return None
        if None in texts:
            raise Refused("customErrors", "startAndEndDateRequired")
        behaviour = self._behaviour
        first, last = (_day(text or "") for text in texts)
        today = self.now().astimezone(ZoneInfo(behaviour.today_zone)).date()
        if first > today:
            raise Refused("customErrors", "startDateAfterToday")
        if last > today:
            raise Refused("customErrors", "endDateAfterToday")
        if first > last or (first == last and not behaviour.one_day_allowed):
            raise Refused("customErrors", "dateRangeError")
        if first < (behaviour.created_on or self._merchant.created_on):
            raise Refused("customErrors", "startDateBeforeAppCreation")
        if (last - first).days + behaviour.count_both_ends > MAX_DAYS:
            raise Refused("customErrors", "datesExceedError")
        end = last + timedelta(days=behaviour.to_date_included)
        zone = ZoneInfo(behaviour.zone)
        start, stop = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, end))
        return start, stop

    def _change_after_page(self, time_range: TimeRange | None) -> None:
        """What changes at KS Pay after a page of a listing was sent."""
        behaviour = self._behaviour
        self._listings += 1
        number, of = divmod(self._listings, behaviour.arrive_every or 1)
        if behaviour.arrive_every and of == 0 and number <= behaviour.at_most:
            rng = Random(f"{behaviour.seed}/arrivals/{number}")
            now = self.now()
            at = now
            if behaviour.arrive_backdated and time_range:
                at = min(now, time_range[0] + (time_range[1] - time_range[0]) * rng.random())
            arrived = self._merchant.shop.transaction(
                rng,
                family="paid",
                reference=f"ARRIVED-{number}",
                amount=Decimal(rng.randrange(100, 100_000)) / 100,
                currency="INR",
                method="UPI",
                created_at=at,
                updated_at=at,
            )
            self.listing.add(arrived)
        number, of = divmod(self._listings, behaviour.change_every or 1)
        if behaviour.change_every and of == 0 and number <= behaviour.at_most:
            rng = Random(f"{behaviour.seed}/changes/{number}")
            if identity := self.listing.random_id(rng):
                words = {"status": rng.choice(("success", "failed", "refunded"))}
                self.listing.change(identity, self.now(), words)

    def _handler(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        handler: Callable[[Request], Awaitable[Response]] = (
            self.removed if name in self._behaviour.without else getattr(self, name)
        )
        return handler

    def _named(self, records: list[Record], name: str) -> list[Record]:
        """The records; without the envelope their id has this name."""
        if self._behaviour.enveloped:
            return records
        return [{name if key == "id" else key: value for key, value in record.items()} for record in records]

    def _success(self, result: Any, status: int = 200) -> Response:
        """A successful answer with this result, which may already be JSON."""
        if not isinstance(result, bytes):
            result = json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()
        if self._behaviour.enveloped:
            result = b'{"status":%d,"message":"success","result":%s}' % (status, result)
        return Response(result, status, media_type="application/json")

    def _check_app(self, app_id: str) -> None:
        _check_shape(app_id, "ap_")
        if app_id != self._merchant.app_id:
            raise Refused("keyVaultErrors", "appNotFound")

    def _check_keys(self, body: Record) -> None:
        # The second half of the guide writes the first field in lower case.
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

    def _check_signature(self, request: Request) -> str | None:
        """The transaction that the signature is for, if it is for one."""
        signature = request.headers.get("x-signature")
        if not signature:
            raise Refused("auth", "authTokenMissing")
        try:
            claims = self._tokens.check(signature, SIGNATURE)
        except MalformedError:
            raise Refused("keyVaultErrors", "invalidSignatureFormat") from None
        except ForgedError:
            raise Refused("keyVaultErrors", "accessKeyMismatch") from None
        except ExpiredError:
            raise Refused("keyVaultErrors", "signatureExpired") from None
        return claims.get("transaction")

    def _known_currency(self, currency_id: str) -> Record:
        _check_shape(currency_id, "c_")
        try:
            return self._currencies[currency_id]
        except KeyError:
            raise Refused("currencyModule", "currencyNotExists") from None

    def _known_transaction(self, transaction_id: str) -> bytes:
        _check_shape(transaction_id, "tx_")
        transaction = self.listing.by_id(transaction_id)
        if transaction is None:
            raise Refused("systemError", "noDataFound")
        return transaction


async def _body(request: Request) -> Record:
    """The fields of a JSON or form-encoded body; numbers with a decimal point are Decimal."""
    raw = await request.body()
    try:
        text = raw.decode()
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(text, keep_blank_values=True))
        body = json.loads(text, parse_float=Decimal, parse_constant=_no_constant) if text else {}
        for value in body.values() if isinstance(body, dict) else ():
            if isinstance(value, str):
                value.encode()  # a JSON escape may be half a character (a lone surrogate), which no answer can hold
    except (ValueError, RecursionError):
        raise Refused("systemError", "invalidRequest") from None
    if not isinstance(body, dict):
        raise Refused("systemError", "invalidRequest")
    return body


def _details(transaction: Record) -> Record:
    """The answer of process in the form that KS Pay's own SDK reads (observed). The payer is made up."""
    return {
        "gateway": transaction["providerName"],
        "mode": "sandbox",
        "altTxnId": transaction["providerOrderId"],
        "details": {
            "initiateTransaction": {
                "key": "sandbox",
                "amount": transaction["amount"],
                "productinfo": transaction["referenceNumber"],
                "firstname": "Asha",
                "email": "asha@shop.example",
                "phone": "9999999999",
                "surl": "https://shop.example/paid",
                "furl": "https://shop.example/failed",
                "enforce_paymethod": transaction["paymentType"],
            }
        },
    }


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _required(body: Record, *names: str) -> list[Any]:
    for name in names:
        if body.get(name) in (None, ""):
            raise Refused("general", "InvalidId", id=name)
    return [body[name] for name in names]


def _check_texts(body: Record, *names: str) -> None:
    if not all(isinstance(body.get(name, ""), str) for name in names):
        raise Refused("systemError", "invalidRequest")


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
    if day.isoformat() != text:  # other forms of ISO 8601, such as 20260801
        raise Refused("systemError", "invalidRequest")
    return day


def _positive(text: str, refusal: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise Refused("pagination", refusal)
    return int(text)
