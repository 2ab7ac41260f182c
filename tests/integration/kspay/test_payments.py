"""Payments begun, processed, looked up and confirmed: against the sandbox, and a server with faults."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import pytest

from reconcile.core.errors import UsageError
from reconcile.core.records import Period
from reconcile.kspay import Credentials, Initiated, KSPay, Redirect, parse_redirect
from reconcile.kspay.errors import (
    AuthenticationError,
    CallError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from reconcile.kspay.payments import LOOK_UPS
from reconcile.sandbox.behaviour import Behaviour, named
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve
from tests.support.kspay_server import (
    ACCESS_KEY,
    APP_ID,
    SECRET_KEY,
    KSPayServer,
    Reply,
    failure,
    record,
    success,
)

INITIATE = "/transaction/initiate"
PROCESS = "/transaction/process"
BY_REFERENCE = "/transaction/referenceNo/"
SIGNATURE = "/auth/generate-signature/"
AMOUNT = Decimal("345.67")
NOTHING = failure(404, 24, "No data found with this ID!")
BEGUN = {
    "pe_txnId": "tx_new",
    "providerOrderId": "order_P4sEpHDzofjQwV",
    "amount": 345.67,
    "currency": "INR",
    "gateway": "RAZORPAY",
    "method": "UPI",
    "mode": "test",
    "config": {"key": "public"},
}


def held(status: str = "PENDING", **changes: Any) -> dict[str, Any]:
    """A transaction of the reference A-1 as the server holds it."""
    fields = {"id": "tx_new", "referenceNumber": "A-1", "amount": "345.67", "currencyId": "c_1"}
    return record(1, **{**fields, "currencyCode": "INR", "status": status, **changes})


def begin(client: KSPay, amount: Decimal = AMOUNT, **options: Any) -> Initiated:
    return client.payments.initiate("c_1", "pm_1", amount, "A-1", **options)


@pytest.fixture
def payments(server: KSPayServer) -> KSPayServer:
    """A server that gives signatures s-1, s-2 …, knows no payment and begins the one it is asked for."""
    given = iter(range(1, 1000))
    server.on("POST", SIGNATURE, lambda _: success(f"sig-{next(given)}", 201))
    server.on("GET", BY_REFERENCE, NOTHING)
    server.on("POST", INITIATE, success(BEGUN, 201))
    return server


# Against the sandbox


class Shop:
    """The sandbox and what can be bought in it."""

    def __init__(self, credentials: Credentials, merchant: Merchant) -> None:
        self.credentials = credentials
        currency = next(c["id"] for c in merchant.currencies if c["code"] == "INR")
        self.bought = (currency, merchant.payment_methods[currency][0]["id"])


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    merchant = Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=3), 2)
    with serve(merchant) as box:
        yield Shop(Credentials(box.base_url, box.app_id, box.access_key, box.secret_key), merchant)


@pytest.mark.parametrize("enveloped", [True, False], ids=["enveloped", "bare"])
@pytest.mark.parametrize("form", [False, True], ids=["JSON", "form"])
def test_all_ten_calls_in_either_rendering(enveloped: bool, form: bool) -> None:
    merchant = Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=3), 2)
    with serve(merchant, behaviour=Behaviour(enveloped=enveloped, token_requests=3)) as box:
        keys = Credentials(box.base_url, box.app_id, box.access_key, box.secret_key)
        with KSPay(keys, form=form, concurrency=1, give_up_seconds=20) as client:
            currency = next(one for one in client.currencies() if one.code == "INR")
            method = client.payment_methods(currency.id)[0]
            begun = client.payments.initiate(currency.id, method.id, AMOUNT, "A-1")
            assert begun.transaction_id
            order = client.payments.process(begun.transaction_id)
            assert order["pe_txnId"] == begun.transaction_id
            paid = client.transaction(begun.transaction_id)
            assert paid == client.transaction_by_reference("A-1")
            assert (paid["currencyId"], paid["status"]) == (currency.id, "success")
            days = Period(merchant.first_day, datetime.now(UTC).date())
            assert paid["id"] in {row.values["id"] for page in client.transactions(days) for row in page.rows}
        assert len(box.requests) == 10
        assert min(box.requests.values()) > 0


@pytest.mark.parametrize("form", [False, True])
@pytest.mark.parametrize("bearer", [False, True])
@pytest.mark.parametrize("access_key_field", ["accessKey", "accesskey"])
def test_a_payment_from_initiate_to_confirmed(
    shop: Shop, form: bool, bearer: bool, access_key_field: str
) -> None:
    reference = f"A/1 ü% {form} {bearer} {access_key_field}"
    keys = shop.credentials
    credentials = Credentials(keys.base_url, keys.app_id, keys.access_key, keys.secret_key, access_key_field)
    with KSPay(credentials, form=form, give_up_seconds=5) as client:
        with pytest.raises(NotFoundError):
            client.transaction_by_reference(reference)
        begun = client.payments.initiate(
            *shop.bought, AMOUNT, reference, "https://shop.example/thanks", bearer=bearer
        )
        assert (begun.amount, begun.currency, begun.mode, begun.found) == (AMOUNT, "INR", "sandbox", False)
        assert begun.transaction_id is not None
        pending = client.transaction_by_reference(reference)
        assert (pending["id"], pending["amount"], "signature" in pending) == (
            begun.transaction_id,
            "345.67",
            False,
        )
        query = f"payment_status=success&kspay_id={begun.transaction_id}&provider_payment_id=pay_1"
        redirect = parse_redirect(f"https://shop.example/thanks?{query}")
        with pytest.raises(ConflictError, match="which is not paid"):
            client.payments.confirm(redirect, reference, AMOUNT, "INR")

        assert client.payments.process(begun.transaction_id)["status"] == "success"
        assert client.payments.confirm(redirect, reference, AMOUNT, "INR")["id"] == begun.transaction_id
        for wrong in [("other", AMOUNT, "INR"), (reference, AMOUNT + 1, "INR"), (reference, AMOUNT, "USD")]:
            with pytest.raises(ConflictError, match="KS Pay does not confirm the redirect"):
                client.payments.confirm(redirect, *wrong)


def test_a_payment_is_begun_once_and_a_failed_one_again(shop: Shop) -> None:
    with KSPay(shop.credentials, give_up_seconds=5) as client:
        first = client.payments.initiate(*shop.bought, AMOUNT, "again-1")
        same = client.payments.initiate(*shop.bought, Decimal("345.670"), "again-1")
        assert (same.transaction_id, same.found, same.provider_order_id) == (
            first.transaction_id,
            True,
            first.provider_order_id,
        )
        with pytest.raises(ConflictError, match=r"again-1.*345\.67 c_\w+, not 345\.68 c_"):
            client.payments.initiate(*shop.bought, Decimal("345.68"), "again-1")

        client.payments.process(str(first.transaction_id), {"payment_status": "failed"})
        second = client.payments.initiate(*shop.bought, Decimal("300"), "again-1")
        assert (second.found, second.amount) == (False, Decimal(300))
        assert second.transaction_id != first.transaction_id
        client.payments.process(str(second.transaction_id))
        paid = client.payments.initiate(*shop.bought, Decimal("300"), "again-1")
        assert (paid.transaction_id, paid.status, paid.found) == (second.transaction_id, "success", True)


def test_threads_with_one_reference_begin_one_payment(shop: Shop) -> None:
    together = threading.Barrier(4)

    def click(client: KSPay) -> Initiated:
        together.wait(10)
        return client.payments.initiate(*shop.bought, AMOUNT, "double-click")

    with KSPay(shop.credentials, give_up_seconds=5) as client, ThreadPoolExecutor(4) as threads:
        begun = list(threads.map(click, [client] * 4))
    assert len({each.transaction_id for each in begun}) == 1
    assert sorted(each.found for each in begun) == [False, True, True, True]


def test_a_refusal_is_passed_on(shop: Shop) -> None:
    with KSPay(shop.credentials, give_up_seconds=5) as client:
        with pytest.raises(InvalidRequestError) as caught:
            client.payments.initiate(*shop.bought, Decimal("1.001"), "too-fine")
        assert (caught.value.code, caught.value.entry) == (-19, "decimalValueAmountError")
        with pytest.raises(NotFoundError):
            client.transaction_by_reference("too-fine")


# Every shape that KS Pay answers in, and calls that it no longer has: profiles of the sandbox

SDK = {"sdk": True}
SHAPES: dict[str, tuple[list[str], dict[str, Any], bool]] = {
    # the profiles; how the client begins the payment; whether the answer is nothing but a signature
    "S2S": ([], {}, False),
    "NPM": (["signature-object"], {"bearer": True}, True),
    "NPM, bare": (["signature-object", "bare"], {"bearer": True}, True),
    "signature as text": (["signature-text"], {}, True),
    "signature as text, bare": (["signature-text", "bare"], SDK, True),
    "keys in headers": (["key-headers"], SDK, False),
    "gateway and details": (["gateway-details"], {}, False),
    "gateway and details, bare": (["gateway-details", "bare"], {}, False),
    "SDK": (["sdk"], SDK, True),
    "SDK, bare": (["sdk", "bare"], SDK, True),
    "SDK, without what the later guide lacks": (["sdk", "no-signatures", "no-look-up"], SDK, True),
}


def paid_by(redirected: str) -> Redirect:
    return parse_redirect(f"payment_status=success&kspay_id={redirected}&provider_payment_id=pay_1")


@contextmanager
def serving(*profiles: str) -> Iterator[tuple[Sandbox, Shop]]:
    merchant = Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=3), 2)
    with serve(merchant, behaviour=named(profiles)) as box:
        yield box, Shop(Credentials(box.base_url, box.app_id, box.access_key, box.secret_key), merchant)


@pytest.mark.parametrize("form", [False, True], ids=["JSON", "form"])
@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_of_a_payment_from_begun_to_confirmed(name: str, form: bool) -> None:
    profiles, how, signature_only = SHAPES[name]
    look_up = "no-look-up" not in profiles
    with serving(*profiles) as (box, shop), KSPay(shop.credentials, form=form, give_up_seconds=5) as client:
        begun = client.payments.initiate(*shop.bought, AMOUNT, "A-1", **how, look_up=look_up)
        assert (begun.amount, begun.found, begun.reference_number) == (AMOUNT, False, "A-1")
        assert (begun.transaction_id is None, begun.signature is not None) == (signature_only, signature_only)
        if signature_only:
            done = client.payments.process(signature=begun.signature, origin="https://shop.example")
        else:
            done = client.payments.process(begun.transaction_id)
        (record,) = (each for each in box.records() if each["referenceNumber"] == "A-1")
        if {"sdk", "gateway-details"} & {*profiles}:
            assert done.keys() == {"gateway", "mode", "altTxnId", "details"}
            assert (done["altTxnId"], done["gateway"]) == (record["providerOrderId"], record["providerName"])
            assert done["details"]["initiateTransaction"]["amount"] == "345.67"
        else:
            assert (done["pe_txnId"], done["status"]) == (record["id"], "success")
        confirmed = client.payments.confirm(paid_by(record["id"]), "A-1", AMOUNT, "INR")
        assert (confirmed["id"], confirmed["status"]) == (record["id"], "success")
        assert box.requests["initiate"] == box.requests["process"] == 1
        if signature_only:
            assert str(begun.signature) not in repr(begun)


def test_what_needs_a_signature_says_that_kspay_gives_none() -> None:
    with serving("no-signatures") as (box, shop), KSPay(shop.credentials, give_up_seconds=5) as client:
        for needs_it in (
            client.payments.generate_signature,
            lambda: client.payments.initiate(*shop.bought, AMOUNT, "A-1"),
            lambda: client.payments.process("tx_123456789"),
        ):
            with pytest.raises(NotFoundError, match=r"does not offer generate-signature.*sdk=True") as caught:
                needs_it()
            assert "\n" not in str(caught.value)
        assert box.requests["initiate"] == box.requests["process"] == 0
        begun = client.payments.initiate(*shop.bought, AMOUNT, "A-1", bearer=True)
        assert client.transaction(str(begun.transaction_id))["referenceNumber"] == "A-1"
        assert client.transaction_by_reference("A-1")["id"] == begun.transaction_id


def test_what_needs_the_look_up_says_that_kspay_has_none() -> None:
    with serving("no-look-up") as (box, shop), KSPay(shop.credentials, give_up_seconds=5) as client:
        with pytest.raises(NotFoundError, match=r"does not offer the look-up.*use transaction\(\)") as caught:
            client.transaction_by_reference("A-1")
        assert "\n" not in str(caught.value)
        with pytest.raises(NotFoundError, match=r"does not offer here.*use look_up=False") as caught:
            client.payments.initiate(*shop.bought, AMOUNT, "A-1")
        assert "\n" not in str(caught.value)
        assert box.requests["initiate"] == 0
        begun = client.payments.initiate(*shop.bought, AMOUNT, "A-1", look_up=False)
        client.payments.process(begun.transaction_id)
        redirect = paid_by(str(begun.transaction_id))
        assert client.payments.confirm(redirect, "A-1", AMOUNT, "INR")["status"] == "success"
        today = datetime.now(UTC).date()
        pages = client.transactions(Period(today - timedelta(days=1), today))
        assert begun.transaction_id in {row.values["id"] for page in pages for row in page.rows}


GONE = {
    "error -10": failure(404, -10, "Cannot GET it"),
    "error -10 of another status": failure(400, -10, "Cannot GET it"),
    "404": failure(404, None, "Not Found"),
    "404 as code": failure(404, 404, "Not Found"),
    "a page": Reply(404, b"<html>not found</html>"),
    "405": failure(405, None, "Method Not Allowed"),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_however_a_server_says_that_a_call_is_gone(payments: KSPayServer, gone: Reply) -> None:
    payments.on("GET", BY_REFERENCE, gone)
    with payments.client() as client:
        with pytest.raises(CallError, match="does not offer the look-up by reference number"):
            client.transaction_by_reference("A-1")
        with pytest.raises(CallError, match="needs the look-up by reference number"):
            begin(client)
        payments.on("GET", BY_REFERENCE, NOTHING)
        payments.on("POST", SIGNATURE, gone)
        with pytest.raises(CallError, match="does not offer generate-signature") as caught:
            begin(client)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert payments.times("POST", INITIATE) == 0


@pytest.mark.parametrize(
    "other",
    [
        failure(404, 11002, "Application not found for the provided app ID"),
        failure(404, 11001, "Credentials not found for the provided access key"),
        failure(503, -10, "down"),
        failure(400, 25, "Invalid Request"),
    ],
    ids=["no-app", "no-key", "down", "invalid"],
)
def test_other_errors_do_not_mean_that_a_call_is_gone(payments: KSPayServer, other: Reply) -> None:
    payments.on("GET", BY_REFERENCE, other)
    payments.on("POST", SIGNATURE, other)
    with payments.client(give_up_seconds=0.1) as client:
        for call in (lambda: begin(client), client.payments.generate_signature):
            with pytest.raises(CallError) as caught:
                call()
            assert "does not offer" not in str(caught.value)


def test_without_look_up_a_lost_answer_is_of_unknown_outcome(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, LOST["reset"])
    with payments.client() as client, pytest.raises(OutcomeUnknownError, match="Transaction History"):
        begin(client, look_up=False)
    assert (payments.times("POST", INITIATE), payments.times("GET", BY_REFERENCE)) == (1, 0)


def test_without_look_up_only_a_documented_refusal_is_tried_again(payments: KSPayServer) -> None:
    expired = failure(400, 11005, "The provided signature has expired")
    payments.on("POST", INITIATE, expired, success(BEGUN, 201), Reply(401, b""))
    with payments.client() as client:
        assert begin(client, look_up=False).transaction_id == "tx_new"
        # A bare 401 proves nothing: KS Pay may have begun the payment.
        with pytest.raises(AuthenticationError):
            begin(client, look_up=False)
    assert payments.times("POST", INITIATE) == 3


# A key that was regenerated


@pytest.mark.parametrize("how", [{}, {"bearer": True}, SDK], ids=["signature", "token", "headers"])
@pytest.mark.parametrize("wrong", ["access", "secret"])
def test_a_refused_key_may_have_been_regenerated(shop: Shop, how: dict[str, Any], wrong: str) -> None:
    keys = shop.credentials
    old = {"access": ("old-key", keys.secret_key), "secret": (keys.access_key, "old-key")}[wrong]
    with KSPay(Credentials(keys.base_url, keys.app_id, *old), give_up_seconds=5) as client:
        for call in (
            lambda: client.payments.initiate(*shop.bought, AMOUNT, "regenerated", **how, look_up=not how),
            client.payments.generate_signature,
            client.currencies,
        ):
            with pytest.raises(AuthenticationError, match=r"may have been regenerated.*only once") as caught:
                call()
            assert "\n" not in str(caught.value)
            for secret in ("old-key", keys.access_key, keys.secret_key):
                assert secret not in str(caught.value) + repr(caught.value)


def test_keys_go_into_headers_and_nowhere_else(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, success("sig-of-payment", 201))
    with payments.client() as client:
        assert begin(client, sdk=True).signature == "sig-of-payment"
    (asked,) = payments.requests("POST", INITIATE)
    assert (asked.headers["accessKey"], asked.headers["secretKey"]) == (ACCESS_KEY, SECRET_KEY)
    assert (asked.authorization, asked.headers.get("x-signature")) == (None, None)
    assert asked.json["interfaceType"] == "sdk"
    assert ACCESS_KEY.encode() not in asked.body
    assert payments.times("POST", SIGNATURE) == 0


def test_keys_that_no_header_can_carry_are_not_sent(payments: KSPayServer) -> None:
    with (
        KSPay(Credentials(payments.url, APP_ID, "ключ", "s"), give_up_seconds=0) as client,
        pytest.raises(UsageError, match="no header can carry"),
    ):
        begin(client, sdk=True)
    with payments.client() as client, pytest.raises(UsageError, match="not with both"):
        begin(client, sdk=True, bearer=True)
    assert payments.asked == []


# What is sent, and how the answers read


@pytest.mark.parametrize("written", ["345.67", "345.670", "0.1", "12345678901234567.89", "1000", "1E+3"])
def test_the_amount_is_sent_digit_by_digit(payments: KSPayServer, written: str) -> None:
    payments.on("POST", INITIATE, success({"pe_txnId": "tx_new"}, 201))
    amount = Decimal(written)
    with payments.client() as client:
        assert begin(client, amount).amount == amount
        assert begin(client, amount, bearer=True, redirect_url="https://shop.example/?a=1").amount == amount
    payments.on("POST", "/auth/generate-token/", lambda _: payments.pair())
    with payments.client(form=True) as client:
        begin(client, amount)
    plain, bearer, form = payments.requests("POST", INITIATE)
    assert re.search(rb'"amount":\s*([^,}]+)[,}]', plain.body)[1] == f"{amount:f}".encode()  # type: ignore[index]
    assert json.loads(plain.body, parse_float=Decimal, parse_int=Decimal) == {
        "currencyId": "c_1",
        "paymentMethodId": "pm_1",
        "amount": amount,
        "referenceNumber": "A-1",
    }
    assert (plain.headers["x-signature"], plain.authorization) == ("sig-1", None)
    assert "x-signature" not in bearer.headers
    assert (bearer.authorization or "").startswith("Bearer ")
    assert (bearer.json["appId"], bearer.json["redirectUrl"]) == (APP_ID, "https://shop.example/?a=1")
    assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(form.body.decode())["amount"] == [f"{amount:f}"]


@pytest.mark.parametrize("reply", [success(BEGUN, 201), Reply(201, BEGUN)], ids=["enveloped", "bare"])
def test_either_rendering_of_a_begun_payment(payments: KSPayServer, reply: Reply) -> None:
    payments.on("POST", INITIATE, reply)
    with payments.client() as client:
        begun = begin(client)
    assert (begun.transaction_id, begun.provider_order_id) == ("tx_new", "order_P4sEpHDzofjQwV")
    assert (begun.amount, begun.currency, begun.gateway) == (AMOUNT, "INR", "RAZORPAY")
    assert (begun.method, begun.mode, begun.config, begun.found) == ("UPI", "test", {"key": "public"}, False)
    assert (begun.signature, begun.status) == (None, None)


@pytest.mark.parametrize("enveloped", [True, False])
def test_the_npm_rendering_of_a_begun_payment(payments: KSPayServer, enveloped: bool) -> None:
    answer = {"signature": "for-the-front-end"}
    payments.on("POST", INITIATE, success(answer, 201) if enveloped else Reply(201, answer))
    with payments.client() as client:
        begun = begin(client, bearer=True)
    assert (begun.signature, begun.transaction_id, begun.amount) == ("for-the-front-end", None, AMOUNT)
    assert "for-the-front-end" not in repr(begun)


def test_a_payment_begun_over_another_amount_is_loud(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, success({**BEGUN, "amount": 34567}, 201))
    with payments.client() as client, pytest.raises(ConflictError, match=r"tx_new.*34567 instead of 345\.67"):
        begin(client)
    assert payments.times("POST", INITIATE) == 1


@pytest.mark.parametrize(
    "amount",
    [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"), 345.67, "12", 12],
)
def test_an_amount_that_is_none_is_not_sent(payments: KSPayServer, amount: Any) -> None:
    with payments.client() as client, pytest.raises(UsageError, match=r"[Tt]he amount"):
        begin(client, amount)
    assert payments.asked == []


def test_currency_and_method_of_either_rendering(server: KSPayServer) -> None:
    server.on("GET", "/currencies", Reply(200, [{"currencyId": "c_1", "code": "INR"}]))
    server.on("GET", "/c_1/payment-methods", success([{"paymentMethodId": "pm_1", "name": "UPI"}]))
    with server.client() as client:
        (currency,) = client.currencies()
        (method,) = client.payment_methods(currency.id)
    assert (currency.code, method.id, method.name) == ("INR", "pm_1", "UPI")


# Looking up by reference


@pytest.mark.parametrize(
    "reference", ["a/b", "a/../b", "50% off", "बिल-1", "?x=1#y", "+91 5", "a\\b", "a&b", "%2e"]
)
@pytest.mark.parametrize("enveloped", [True, False])
def test_any_reference_reaches_the_server(payments: KSPayServer, reference: str, enveloped: bool) -> None:
    row = held(referenceNumber=reference)
    payments.on("GET", BY_REFERENCE, success(row) if enveloped else Reply(200, row))
    with payments.client() as client:
        assert client.transaction_by_reference(reference)["id"] == "tx_new"
    (asked,) = payments.requests("GET", BY_REFERENCE)
    assert asked.path == BY_REFERENCE + quote(reference, safe="")
    assert unquote(asked.path.removeprefix(BY_REFERENCE)) == reference


@pytest.mark.parametrize("reference", ["", "  ", ".", "..", "\ud800"])
def test_a_reference_that_no_address_can_carry(payments: KSPayServer, reference: str) -> None:
    with payments.client() as client, pytest.raises(UsageError, match="reference number"):
        client.transaction_by_reference(reference)
    with payments.client() as client, pytest.raises(UsageError, match="reference number"):
        client.payments.initiate("c_1", "pm_1", AMOUNT, reference)
    assert payments.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        success(held(referenceNumber="A-2")),
        success([held()]),
        success({"order": {}}),
        success("tx_new"),
        failure(404, -10, "Cannot GET /transaction/referenceNo/A-1"),
        failure(404, 11002, "Application not found for the provided app ID"),
        failure(400, 25, "Invalid Request"),
    ],
    ids=["other", "list", "no-id", "text", "no-call", "no-app", "invalid"],
)
def test_without_a_clear_look_up_nothing_is_begun(payments: KSPayServer, answer: Reply) -> None:
    payments.on("GET", BY_REFERENCE, answer)
    with payments.client() as client, pytest.raises(CallError):
        begin(client)
    assert payments.times("POST", INITIATE) == 0


def test_null_says_that_there_is_none(payments: KSPayServer) -> None:
    payments.on("GET", BY_REFERENCE, success(None))
    with payments.client() as client:
        with pytest.raises(NotFoundError):
            client.transaction_by_reference("A-1")
        assert begin(client).transaction_id == "tx_new"


# One payment, whatever happens to the answer

LOST = {
    "500": failure(500, 26, "Oops! Something went wrong"),
    "db": failure(400, 28, "DB Error"),
    "provider": failure(400, 27, "External Provider issue!"),
    "html": Reply(502, b"<html>bad gateway</html>"),
    "503": failure(503, None, "down"),
    "reset": Reply(201, BEGUN, fault="reset"),
    "truncated": success(BEGUN, 201),
    "hang": Reply(201, BEGUN, fault="hang"),
    "empty": Reply(201, b""),
    "no json": Reply(201, b"OK"),
    "unknown shape": success({"ok": True}, 201),
    "redirect": Reply(302, b"", {"Location": "https://elsewhere.example/"}),
}
LOST["truncated"].fault = "truncate"


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_payment_whose_answer_was_lost_is_found(payments: KSPayServer, lost: Reply) -> None:
    payments.on("POST", INITIATE, lost)
    payments.on("GET", BY_REFERENCE, NOTHING, NOTHING, success(held()))
    with payments.client(give_up_seconds=1) as client:
        begun = begin(client)
    assert (begun.transaction_id, begun.status, begun.found) == ("tx_new", "PENDING", True)
    assert payments.times("POST", INITIATE) == 1


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_payment_that_is_not_found_is_of_unknown_outcome(payments: KSPayServer, lost: Reply) -> None:
    payments.on("POST", INITIATE, lost)
    with (
        payments.client(give_up_seconds=1) as client,
        pytest.raises(
            OutcomeUnknownError, match=r"'A-1' was begun is not known.*transaction_by_reference"
        ) as caught,
    ):
        begin(client)
    assert payments.times("POST", INITIATE) == 1
    assert payments.times("GET", BY_REFERENCE) == 1 + LOOK_UPS
    assert (caught.value.call, caught.value.retryable, caught.value.exit_code) == (
        f"POST {INITIATE}",
        False,
        4,
    )
    assert isinstance(caught.value.__cause__, CallError)


def test_an_outage_that_lasts_leaves_the_outcome_unknown(payments: KSPayServer) -> None:
    down = failure(503, None, "down")
    payments.on("POST", INITIATE, down)
    payments.on("GET", BY_REFERENCE, NOTHING, down)
    with (
        payments.client(give_up_seconds=0.2) as client,
        pytest.raises(OutcomeUnknownError, match="status 503"),
    ):
        begin(client)
    assert payments.times("POST", INITIATE) == 1


def test_a_lost_payment_that_is_found_over_another_amount_is_a_conflict(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, LOST["500"])
    payments.on("GET", BY_REFERENCE, NOTHING, success(held(amount="34567")))
    with (
        payments.client() as client,
        pytest.raises(ConflictError, match=r"34567 c_1, not 345\.67 c_1"),
    ):
        begin(client)


@pytest.mark.parametrize("status", ["failed", "Cancelled", "EXPIRED"])
def test_a_try_that_is_over_is_not_taken_for_the_lost_one(payments: KSPayServer, status: str) -> None:
    over = success(held(status, id="tx_old", amount="1"))
    payments.on("POST", INITIATE, LOST["reset"])
    payments.on("GET", BY_REFERENCE, over)
    with payments.client() as client, pytest.raises(OutcomeUnknownError):
        begin(client)
    assert payments.times("POST", INITIATE) == 1

    payments.on("GET", BY_REFERENCE, over, over, success(held("failed")))
    with payments.client() as client:
        begun = begin(client)
    assert (begun.transaction_id, begun.status) == ("tx_new", "failed")


@pytest.mark.parametrize("status", ["PENDING", "Success", "refunded", "on the moon", None])
def test_a_payment_that_is_there_is_returned(payments: KSPayServer, status: Any) -> None:
    payments.on("GET", BY_REFERENCE, success(held(status, amount=345.67, id="tx_old")))
    with payments.client() as client:
        begun = begin(client)
    assert (begun.transaction_id, begun.status, begun.amount, begun.found) == ("tx_old", status, AMOUNT, True)
    assert payments.times("POST", INITIATE) == payments.times("POST", SIGNATURE) == 0


@pytest.mark.parametrize(
    "changes",
    [{"amount": "345.66"}, {"currencyId": "c_2"}, {"currencyId": None}, {"amount": None}, {"amount": "x"}],
)
def test_a_payment_that_is_there_and_differs_is_a_conflict(
    payments: KSPayServer, changes: dict[str, Any]
) -> None:
    payments.on("GET", BY_REFERENCE, success(held(**changes)))
    with payments.client() as client, pytest.raises(ConflictError, match="'A-1' already stands for tx_new"):
        begin(client)
    assert payments.times("POST", INITIATE) == 0


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (failure(400, 25, "Invalid Request"), InvalidRequestError),
        (failure(429, 11005, "Too many requests made in a short period"), RateLimitError),
        (failure(409, None, "exists"), ConflictError),
        (failure(401, -34, "Invalid credentials for gateway: R for: INR"), CallError),
    ],
    ids=["invalid", "rate", "conflict", "gateway"],
)
def test_a_refusal_is_a_known_outcome(payments: KSPayServer, refusal: Reply, kind: type[CallError]) -> None:
    payments.on("POST", INITIATE, refusal)
    with payments.client() as client, pytest.raises(kind) as caught:
        begin(client)
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert payments.times("POST", INITIATE) == payments.times("GET", BY_REFERENCE) == 1


# Signatures and tokens


def test_a_signature_is_kept_until_it_is_refused(payments: KSPayServer) -> None:
    expired = failure(400, 11005, "The provided signature has expired")
    good = success(BEGUN, 201)
    payments.on("POST", INITIATE, good, good, expired, good)
    with payments.client() as client:
        for _ in range(3):
            begin(client)
    sent = [asked.headers["x-signature"] for asked in payments.requests("POST", INITIATE)]
    assert sent == ["sig-1", "sig-1", "sig-1", "sig-2"]
    assert payments.requests("POST", SIGNATURE)[0].json == {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}


def test_a_signature_that_is_refused_again_ends_it(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, failure(400, 11005, "The provided signature sig-2 has expired"))
    with payments.client() as client, pytest.raises(AuthenticationError) as caught:
        begin(client)
    assert payments.times("POST", INITIATE) == payments.times("POST", SIGNATURE) == 2
    assert "sig-" not in str(caught.value)


def test_no_new_signature_is_no_lost_payment(payments: KSPayServer) -> None:
    payments.on("POST", SIGNATURE, failure(500, 26, "Oops! Something went wrong"))
    with (
        payments.client(give_up_seconds=0.1) as client,
        pytest.raises(ServerError, match="generate-signature"),
    ):
        begin(client)
    assert payments.times("POST", INITIATE) == 0


def test_a_token_that_is_refused_is_renewed_once(payments: KSPayServer) -> None:
    payments.on("POST", INITIATE, failure(401, 9009, "Token has expired."), success(BEGUN, 201))
    with payments.client() as client:
        assert begin(client, bearer=True).transaction_id == "tx_new"
    first, second = (asked.authorization for asked in payments.requests("POST", INITIATE))
    assert first != second
    assert payments.times("POST", "/auth/refresh-token") == 1


@pytest.mark.parametrize("bearer", [True, False])
def test_what_was_begun_all_the_same_is_not_begun_again(payments: KSPayServer, bearer: bool) -> None:
    """A bare 401, as a gateway gives it, proves nothing: KS Pay may have begun the payment before."""
    payments.on("GET", BY_REFERENCE, NOTHING, success(held(amount=345.67, id="tx_new")))
    payments.on("POST", INITIATE, Reply(401, b""))
    with payments.client() as client:
        begun = begin(client, bearer=bearer)
    assert (begun.transaction_id, begun.found) == ("tx_new", True)
    assert payments.times("POST", INITIATE) == 1


@pytest.mark.parametrize("answer", [{"result": {"signature": "s-1"}}, {"signature": "s-1"}, "s-1"])
def test_renderings_of_a_signature(server: KSPayServer, answer: Any) -> None:
    server.on("POST", SIGNATURE, Reply(201, answer))
    with server.client() as client:
        assert client.payments.generate_signature() == "s-1"
        assert "s-1" not in repr(client)


@pytest.mark.parametrize("answer", [None, "", {}, "two words", "line\nbreak", 5, ["s"]])
def test_what_is_no_signature(server: KSPayServer, answer: Any) -> None:
    server.on("POST", SIGNATURE, success(answer, 201))
    with server.client() as client, pytest.raises(ProtocolError, match="no signature"):
        client.payments.generate_signature()


# Processing

ORDER = {"order": {"id": "order_1", "status": "success", "signature": "never-to-be-seen"}}


@pytest.mark.parametrize("reply", [success(ORDER, 201), Reply(201, ORDER)], ids=["enveloped", "bare"])
def test_process_in_either_rendering(payments: KSPayServer, reply: Reply) -> None:
    payments.on("POST", PROCESS, reply)
    with payments.client() as client:
        assert client.payments.process("tx_1", {"tip": Decimal("1.50")}) == {
            "id": "order_1",
            "status": "success",
        }
    (asked,) = payments.requests("POST", PROCESS)
    assert asked.body == b'{"pe_txnId":"tx_1","tip":1.50}'
    assert asked.headers["x-signature"] == "sig-1"


SDK_ANSWER = {
    "gateway": "PAYU",
    "mode": "UPI",
    "altTxnId": "alt-1",
    "details": {
        "initiateTransaction": {"key": "public", "amount": "345.67", "signature": "never-to-be-seen"}
    },
}


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("enveloped", [True, False], ids=["enveloped", "bare"])
def test_process_as_the_sdk_does_it(payments: KSPayServer, enveloped: bool, status: int) -> None:
    payments.on("POST", PROCESS, success(SDK_ANSWER, status) if enveloped else Reply(status, SDK_ANSWER))
    with payments.client() as client:
        done = client.payments.process(signature="sig-of-payment", origin="https://shop.example")
    assert done == {
        "gateway": "PAYU",
        "mode": "UPI",
        "altTxnId": "alt-1",
        "details": {"initiateTransaction": {"key": "public", "amount": "345.67"}},
    }
    (asked,) = payments.requests("POST", PROCESS)
    assert (asked.body, asked.headers["x-signature"]) == (b"", "sig-of-payment")
    assert asked.headers["origin"] == "https://shop.example"
    assert payments.times("POST", SIGNATURE) == 0


@pytest.mark.parametrize("left", ["gateway", "altTxnId", "details"])
def test_a_part_of_the_sdks_answer_is_a_success_too(payments: KSPayServer, left: str) -> None:
    payments.on("POST", PROCESS, success({left: SDK_ANSWER[left]}, 201))
    with payments.client() as client:
        assert client.payments.process("tx_1").keys() == {left}


def test_the_signature_of_a_payment_is_not_renewed_and_not_shown(payments: KSPayServer) -> None:
    payments.on("POST", PROCESS, failure(400, 11005, "The provided signature sig-of-payment has expired"))
    with payments.client() as client, pytest.raises(AuthenticationError, match="has expired: look") as caught:
        client.payments.process(signature="sig-of-payment")
    assert "sig-of-payment" not in str(caught.value)
    assert (payments.times("POST", PROCESS), payments.times("POST", SIGNATURE)) == (1, 0)


@pytest.mark.parametrize(
    "options",
    [{}, {"signature": ""}, {"signature": "a b"}, {"transaction_id": "tx_1", "origin": "https://a\r\nX: y"}],
)
def test_what_cannot_be_processed_is_not_sent(payments: KSPayServer, options: dict[str, str]) -> None:
    with payments.client() as client, pytest.raises(UsageError, match=r"signature|origin"):
        client.payments.process(**options)  # type: ignore[arg-type]
    assert payments.asked == []


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_process_without_id_is_sent_once(payments: KSPayServer, lost: Reply) -> None:
    payments.on("POST", PROCESS, lost)
    with (
        payments.client(give_up_seconds=1) as client,
        pytest.raises(OutcomeUnknownError, match="the payment of this signature was processed is not known"),
    ):
        client.payments.process(signature="sig-of-payment")
    assert payments.times("POST", PROCESS) == 1


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_process_is_sent_once(payments: KSPayServer, lost: Reply) -> None:
    payments.on("POST", PROCESS, lost)
    with (
        payments.client(give_up_seconds=1) as client,
        pytest.raises(OutcomeUnknownError, match=r"'tx_1' was processed is not known.*transaction\(\)"),
    ):
        client.payments.process("tx_1")
    assert payments.times("POST", PROCESS) == 1


def test_a_refused_process_is_a_known_outcome(payments: KSPayServer) -> None:
    payments.on("POST", PROCESS, failure(404, 24, "No data found with this ID!"))
    with payments.client() as client, pytest.raises(NotFoundError):
        client.payments.process("tx_1")


def test_processing_renews_an_expired_signature(payments: KSPayServer) -> None:
    payments.on(
        "POST", PROCESS, failure(400, 11005, "The provided signature has expired"), success(ORDER, 201)
    )
    with payments.client() as client:
        client.payments.process("tx_1")
    assert [asked.headers["x-signature"] for asked in payments.requests("POST", PROCESS)] == [
        "sig-1",
        "sig-2",
    ]
