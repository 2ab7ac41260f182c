"""Initiate, process, signatures and the payer's way back."""

from decimal import Decimal

import pytest
from kspay_server import KSPayServer, Reply, failure, record, success

from reconcile.kspay import PaymentOrder, PaymentRedirect
from reconcile.kspay.errors import ConflictError, ServerError

ORDER = PaymentOrder("c_1", "pm_1", Decimal("345.670"), "order/7")
NOTHING = failure(404, 24, "No data found with this ID!")
LOOK_UP = "/transaction/referenceNo/order%2F7"


@pytest.fixture(autouse=True)
def signed(server: KSPayServer) -> None:
    server.on("POST", "/auth/generate-signature/", success("signature-word", 201))


def test_initiate_sends_an_exact_number_signed_and_once(server: KSPayServer) -> None:
    server.on("GET", LOOK_UP, NOTHING)
    server.on("POST", "/transaction/initiate", success({"pe_txnId": "tx_1", "signature": "s"}, 201))
    with server.client() as client:
        done = client.initiate(ORDER)
    assert (done.found, done.answer) == (False, {"pe_txnId": "tx_1"})
    (asked,) = server.requests("POST", "/transaction/initiate")
    assert b'"amount":345.670' in asked.body
    assert asked.headers["x-signature"] == "signature-word"


def test_an_existing_reference_is_not_initiated_again(server: KSPayServer) -> None:
    server.on("GET", LOOK_UP, success(record(7, amount="345.67")))
    with server.client() as client:
        assert client.initiate(ORDER).found
    assert server.times("POST", "/transaction/initiate") == 0


def test_a_reference_of_another_payment_is_refused(server: KSPayServer) -> None:
    server.on("GET", LOOK_UP, success(record(7, amount="345.68")))
    with server.client() as client, pytest.raises(ConflictError, match=r"345\.68, not of 345\.670"):
        client.initiate(ORDER)
    assert server.times("POST", "/transaction/initiate") == 0


@pytest.mark.parametrize("fault", [failure(500, 26, "Oops!"), Reply(201, {}, fault="reset")])
def test_a_lost_answer_is_looked_up_never_sent_again(server: KSPayServer, fault: Reply) -> None:
    server.on("GET", LOOK_UP, NOTHING, success(record(7, amount="345.67")))
    server.on("POST", "/transaction/initiate", fault)
    with server.client() as client:
        assert client.initiate(ORDER).found
    assert server.times("POST", "/transaction/initiate") == 1


def test_a_failure_that_made_nothing_is_raised(server: KSPayServer) -> None:
    server.on("GET", LOOK_UP, NOTHING)
    server.on("POST", "/transaction/initiate", failure(500, 26, "Oops! signature-word"))
    with server.client() as client, pytest.raises(ServerError) as caught:
        client.initiate(ORDER)
    assert "signature-word" not in str(caught.value)


def test_process_is_signed(server: KSPayServer) -> None:
    server.on("POST", "/transaction/process", success({"order": {"id": "o"}}))
    with server.client() as client:
        assert client.process({"pe_txnId": "tx_1"}) == {"order": {"id": "o"}}


def test_the_payers_way_back() -> None:
    url = "https://shop.example/back?payment_status=success&kspay_id=tx_aNNJ7BJbt&provider_payment_id=p%201"
    assert PaymentRedirect.parse(url) == PaymentRedirect("success", "tx_aNNJ7BJbt", "p 1")


@pytest.mark.parametrize(
    "query", ["kspay_id=tx_1", "payment_status=a", "payment_status=a&kspay_id=x", "", "?"]
)
def test_a_way_back_that_lacks_something(query: str) -> None:
    with pytest.raises(ValueError, match="the payment redirect holds no"):
        PaymentRedirect.parse(query)


def test_a_way_back_that_says_two_things() -> None:
    with pytest.raises(ValueError, match="payment_status 2 times"):
        PaymentRedirect.parse("payment_status=failed&payment_status=success&kspay_id=tx_1")


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity"])
def test_amounts_that_are_none(amount: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        PaymentOrder("c_1", "pm_1", Decimal(amount), "r")
