"""Every error that the sandbox gives, in the words of KS Pay's catalogue."""

import base64
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from reconcile.core.errors import UsageError
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.integration.sandbox.test_calls import days_of, order
from tests.support.sandbox_caller import Caller, calling, hundred_days

MISSING_TOKEN = (400, 9000, "Token missing or incorrect")
UNAUTHORIZED = (401, 9007, "Unauthorized! Please provide valid credentials.")
INVALID_REQUEST = (400, 25, "Invalid Request")
NO_DATA = (404, 24, "No data found with this ID!")
INVALID_REFRESH_TOKEN = (401, 9008, "Invalid token.")


@pytest.fixture(scope="module")
def merchant() -> Merchant:
    return hundred_days()


@pytest.fixture(scope="module")  # no refusal changes anything
def caller(merchant: Merchant) -> Iterator[Caller]:
    with calling(merchant) as caller:
        yield caller


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


def bad_shape(prefix: str) -> tuple[int, int, str]:
    words = (
        "ID must start with '{}' and be 12 characters long with alphanumeric characters following the prefix."
    )
    return (400, -17, words.format(prefix))


def forged(token: str) -> str:
    """The token with its claims changed, and therefore a wrong signature."""
    header, payload, mac = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["exp"] += 1_000_000
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{mac}"


@pytest.mark.parametrize("call", ["generate-token", "generate-signature"])
class TestKeys:
    def test_unknown_app(self, caller: Caller, call: str) -> None:
        path = f"/auth/{call}/ap_000000000"
        expected = (404, 11002, "Application not found for the provided app ID")
        assert caller.refused("POST", path, json=caller.keys) == expected

    @pytest.mark.parametrize("app_id", ["ap_short", "tx_000000000", "ap_00000000-", "ap_0000000000"])
    def test_no_app_id(self, caller: Caller, call: str, app_id: str) -> None:
        assert caller.refused("POST", f"/auth/{call}/{app_id}", json=caller.keys) == bad_shape("ap_")

    def test_wrong_access_key(self, caller: Caller, call: str) -> None:
        path = f"/auth/{call}/{caller.sandbox.app_id}"
        expected = (404, 11001, "Credentials not found for the provided access key")
        assert caller.refused("POST", path, json=caller.keys | {"accessKey": "other"}) == expected

    def test_wrong_secret_key(self, caller: Caller, call: str) -> None:
        path = f"/auth/{call}/{caller.sandbox.app_id}"
        expected = (400, 11004, "Invalid credentials, please check the provided secret key")
        assert caller.refused("POST", path, json=caller.keys | {"secretKey": "other"}) == expected

    @pytest.mark.parametrize("name", ["accessKey", "secretKey"])
    @pytest.mark.parametrize("empty", [None, "", "absent"])
    def test_a_key_is_missing(self, caller: Caller, call: str, name: str, empty: str | None) -> None:
        path = f"/auth/{call}/{caller.sandbox.app_id}"
        body = {key: value for key, value in caller.keys.items() if key != name}
        if empty != "absent":
            body[name] = empty  # type: ignore[assignment]
        assert caller.refused("POST", path, json=body) == (400, -9, f"{name} not present in Request")

    @pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff", b'{"accessKey": NaN}', b"[" * 100_000])
    def test_no_readable_body(self, caller: Caller, call: str, body: bytes) -> None:
        path = f"/auth/{call}/{caller.sandbox.app_id}"
        assert caller.refused("POST", path, data=body) == INVALID_REQUEST


class TestTokens:
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer a.b.c"}])
    @pytest.mark.parametrize(
        "path",
        [
            "/currencies",
            "/c_0000000000/payment-methods",
            "/transaction",
            "/transaction/txnId/tx_000000000",
            "/transaction/referenceNo/1",
        ],
    )
    def test_no_token(self, caller: Caller, path: str, headers: dict[str, str]) -> None:
        assert caller.refused("GET", path, headers=headers) == MISSING_TOKEN

    def test_a_bare_access_token(self, caller: Caller) -> None:
        assert caller.refused("GET", "/currencies", headers={"Authorization": caller.token}) == MISSING_TOKEN

    def test_a_forged_token(self, caller: Caller) -> None:
        headers = {"Authorization": f"Bearer {forged(caller.token)}"}
        assert caller.refused("GET", "/currencies", headers=headers) == UNAUTHORIZED

    def test_a_refresh_token_is_no_access_token(self, caller: Caller) -> None:
        pair = caller.good("POST", f"/auth/generate-token/{caller.sandbox.app_id}", 201, json=caller.keys)
        headers = {"Authorization": f"Bearer {pair['refreshToken']}"}
        assert caller.refused("GET", "/currencies", headers=headers) == UNAUTHORIZED

    def test_a_token_of_another_merchant(self, caller: Caller, today: date) -> None:
        with serve(Merchant.made_up(12, today, 1)) as other:
            stranger = Caller(other)
            headers = {"Authorization": f"Bearer {stranger.token}"}
            assert caller.refused("GET", "/currencies", headers=headers) == UNAUTHORIZED
            stranger.session.close()

    def test_refresh_without_a_token(self, caller: Caller) -> None:
        assert caller.refused("POST", "/auth/refresh-token", headers={}, json={}) == MISSING_TOKEN

    def test_refresh_with_what_is_none(self, caller: Caller) -> None:
        for token in ("nonsense", caller.token, forged(caller.token), f"Bearer {caller.token}"):
            headers = {"Authorization": token}
            refused = caller.refused("POST", "/auth/refresh-token", headers=headers, json={})
            assert refused == INVALID_REFRESH_TOKEN

    def test_refresh_with_wrong_keys(self, caller: Caller) -> None:
        headers = {"Authorization": "unread"}
        body = caller.keys | {"secretKey": "other"}
        assert caller.refused("POST", "/auth/refresh-token", headers=headers, json=body)[:2] == (400, 11004)


def test_tokens_and_signatures_end_on_time(merchant: Merchant) -> None:
    with serve(merchant, behaviour=Behaviour(token_seconds=1, refresh_seconds=1)) as sandbox:
        caller = Caller(sandbox)
        pair = caller.good("POST", f"/auth/generate-token/{sandbox.app_id}", 201, json=caller.keys)
        signature = caller.signed()
        raw = {"Authorization": pair["refreshToken"]}
        # All three were made before the first of these questions, and live for a second, rounded up.
        deadline = time.monotonic() + 10
        while caller.call("GET", "/currencies").ok:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert caller.refused("GET", "/currencies") == (401, 9009, "Token has expired.")
        while caller.refused("POST", "/transaction/process", headers=signature, json={})[1] == -9:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        refused = caller.refused("POST", "/transaction/process", headers=signature, json={})
        assert refused == (400, 11005, "The provided signature has expired")
        # To ask with a live refresh token would replace it; it is as old as the signature or older.
        refused = caller.refused("POST", "/auth/refresh-token", headers=raw, json={})
        assert refused == (401, 9008, "Refresh token has expired.")
        caller.session.close()


class TestSignatures:
    @pytest.mark.parametrize("call", ["initiate", "process"])
    def test_none(self, caller: Caller, call: str) -> None:
        assert caller.refused("POST", f"/transaction/{call}", headers={}, json={}) == MISSING_TOKEN

    @pytest.mark.parametrize("call", ["initiate", "process"])
    def test_no_signature_at_all(self, caller: Caller, call: str) -> None:
        refused = caller.refused("POST", f"/transaction/{call}", headers={"x-signature": "abc"}, json={})
        assert refused == (400, 11006, "The format of the provided signature is invalid")

    @pytest.mark.parametrize("call", ["initiate", "process"])
    def test_of_other_keys(self, caller: Caller, call: str) -> None:
        headers = {"x-signature": forged(caller.signed()["x-signature"])}
        refused = caller.refused("POST", f"/transaction/{call}", headers=headers, json={})
        assert refused == (400, 11008, "Access key does not match any active credentials")

    def test_a_bearer_does_not_sign_a_process(self, caller: Caller) -> None:
        assert caller.refused("POST", "/transaction/process", json={}) == MISSING_TOKEN


class TestPayments:
    @pytest.mark.parametrize("name", ["currencyId", "paymentMethodId", "amount", "referenceNumber"])
    def test_a_field_is_missing(self, caller: Caller, merchant: Merchant, name: str) -> None:
        body = order(merchant)
        del body[name]
        refused = caller.refused("POST", "/transaction/initiate", json=body)
        assert refused == (400, -9, f"{name} not present in Request")

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            ({"currencyId": "INR"}, bad_shape("c_")),
            ({"currencyId": "c_0000000000"}, (400, 1052, "Currency doesn't exist")),
            ({"paymentMethodId": 7}, bad_shape("pm_")),
            (
                {"paymentMethodId": "pm_000000000"},
                (404, 12001, "Payment method not found for the provided ID"),
            ),
            ({"appId": "ap_000000000"}, (404, 11002, "Application not found for the provided app ID")),
            (
                {"amount": "11.005"},
                (400, -19, "Number should have at most the allowed number of decimal places ie - 2"),
            ),
            ({"referenceNumber": "\ud800"}, INVALID_REQUEST),
            ({"referenceNumber": 7}, INVALID_REQUEST),
            ({"redirectUrl": ["https://shop.example"]}, INVALID_REQUEST),
            ({"amount": "eleven"}, INVALID_REQUEST),
            ({"amount": True}, INVALID_REQUEST),
            ({"amount": 0}, INVALID_REQUEST),
            ({"amount": -1}, INVALID_REQUEST),
        ],
    )
    def test_a_field_is_wrong(
        self, caller: Caller, merchant: Merchant, changed: dict[str, Any], expected: tuple[int, int, str]
    ) -> None:
        assert caller.refused("POST", "/transaction/initiate", json=order(merchant) | changed) == expected

    def test_a_field_of_process_is_wrong(self, caller: Caller) -> None:
        for field, expected in (
            ({"pe_txnId": {"a": 1}}, bad_shape("tx_")),
            ({"pe_txnId": "tx_000000000", "payment_status": 7}, INVALID_REQUEST),
        ):
            refused = caller.refused("POST", "/transaction/process", headers=caller.signed(), json=field)
            assert refused == expected

    def test_a_method_of_another_currency(self, caller: Caller, merchant: Merchant) -> None:
        body = order(merchant, "KWD") | {"paymentMethodId": order(merchant, "INR")["paymentMethodId"]}
        assert caller.refused("POST", "/transaction/initiate", json=body)[:2] == (404, 12001)

    def test_a_disabled_currency(self, caller: Caller, merchant: Merchant) -> None:
        words = "Invalid currency ID provided, check if currency is valid or disabled by administration"
        refused = caller.refused("POST", "/transaction/initiate", json=order(merchant, "EUR"))
        assert refused == (400, 13007, words)

    def test_process_names_no_transaction(self, caller: Caller) -> None:
        def process(body: dict[str, str]) -> tuple[int, int, str]:
            return caller.refused("POST", "/transaction/process", headers=caller.signed(), json=body)

        assert process({}) == (400, -9, "pe_txnId not present in Request")
        assert process({"pe_txnId": "tx_000000000"}) == NO_DATA
        assert process({"pe_txnId": "7"}) == bad_shape("tx_")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/INR/payment-methods", bad_shape("c_")),
        ("/c_0000000000/payment-methods", (400, 1052, "Currency doesn't exist")),
        ("/transaction/txnId/tx_000000000", NO_DATA),
        ("/transaction/txnId/7", bad_shape("tx_")),
        ("/transaction/txnId/tx_00000000%C3%BC", bad_shape("tx_")),
        ("/transaction/referenceNo/never-heard-of", NO_DATA),
        ("/transaction/process", (405, -10, "Cannot GET /v1/transaction/process")),
        ("/nowhere", (404, -10, "Cannot GET /v1/nowhere")),
    ],
)
def test_what_is_not_there(caller: Caller, path: str, expected: tuple[int, int, str]) -> None:
    assert caller.refused("GET", path) == expected


class TestListing:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"page": "0"}, (400, 4089, "Page should be a positive number greater than 0")),
            ({"page": "x"}, (400, 4089, "Page should be a positive number greater than 0")),
            ({"limit": "0"}, (400, 4056, "Limit should be a positive number greater than 0")),
            ({"limit": "-5"}, (400, 4056, "Limit should be a positive number greater than 0")),
            ({"limit": "1.5"}, (400, 4056, "Limit should be a positive number greater than 0")),
        ],
    )
    def test_paging(self, caller: Caller, query: dict[str, str], expected: tuple[int, int, str]) -> None:
        assert caller.refused("GET", "/transaction", params=query) == expected

    @pytest.mark.parametrize("name", ["fromDate", "toDate"])
    def test_one_date_alone(self, caller: Caller, name: str) -> None:
        words = "Both start date and end date are required if one is provided."
        assert caller.refused("GET", "/transaction", params={name: "2026-01-01"}) == (400, 11010, words)

    @pytest.mark.parametrize("text", ["01/02/2026", "2026-02-30", "20260201", ""])
    def test_no_date(self, caller: Caller, text: str) -> None:
        query = {"fromDate": text, "toDate": "2026-03-01"}
        assert caller.refused("GET", "/transaction", params=query) == INVALID_REQUEST

    @pytest.mark.parametrize(
        ("first", "last", "expected"),
        [
            (20, 20, (400, 11007, "Error: 'fromDate' should be earlier than 'toDate'.")),
            (21, 20, (400, 11007, "Error: 'fromDate' should be earlier than 'toDate'.")),
            (5, 95, (400, 11006, "Date range exceeds limit! Date range should not exceed 90 days.")),
            (-3, 20, (400, 11008, "The start date cannot be before the app creation date.")),
            (90, 101, (400, 11011, "The end date cannot be after today's date.")),
            (102, 103, (400, 11009, "The start date cannot be after today's date.")),
        ],
    )
    def test_ranges(
        self, caller: Caller, merchant: Merchant, first: int, last: int, expected: tuple[int, int, str]
    ) -> None:
        # The merchant's hundred days end yesterday: its day 100 is today. It was created two days before.
        assert merchant.created_on == merchant.first_day - timedelta(days=2)
        assert caller.refused("GET", "/transaction", params=days_of(merchant, first, last)) == expected


def test_only_this_machine_is_served(merchant: Merchant) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "example.org", "::"):  # noqa: S104
        with pytest.raises(UsageError, match="this machine only"), serve(merchant, host=host):
            pass


def test_a_port_in_use_or_impossible_is_refused(merchant: Merchant, caller: Caller) -> None:
    taken = int(caller.sandbox.base_url.split(":")[2].split("/")[0])
    for port in (taken, 70_000):
        with pytest.raises(UsageError, match=f"port {port}"), serve(merchant, port=port):
            pass


def test_no_secret_is_shown_or_logged(merchant: Merchant, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serve(merchant) as sandbox:
        assert sandbox.access_key not in repr(sandbox)
        assert sandbox.secret_key not in repr(sandbox)
        caller = Caller(sandbox)
        caller.good("GET", "/transaction")
        caller.refused("GET", "/transaction", headers={"Authorization": f"Bearer {caller.token}x"})
        caller.session.close()
    shown = "".join(record.getMessage() for record in caplog.records)
    for secret in (sandbox.access_key, sandbox.secret_key, caller.token):
        assert secret not in shown
