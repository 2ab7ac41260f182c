"""Every call of the known API over real HTTP: what a client gets that does everything right."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

import pytest

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.shop import Record, listed_at
from tests.support.sandbox_caller import Caller, calling, hundred_days


@pytest.fixture(scope="module")
def merchant() -> Merchant:
    return hundred_days()


@pytest.fixture
def caller(merchant: Merchant) -> Iterator[Caller]:
    with calling(merchant) as caller:
        yield caller


@pytest.fixture
def today() -> date:
    return datetime.now(UTC).date()


def test_a_token_is_a_jwt_that_says_when_it_ends(caller: Caller) -> None:
    payload = caller.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert 890 <= claims["exp"] - datetime.now(UTC).timestamp() <= 901


@pytest.mark.parametrize("spelling", ["accessKey", "accesskey"])
@pytest.mark.parametrize("encoding", ["json", "data"])
def test_generate_token_in_either_spelling_and_encoding(caller: Caller, spelling: str, encoding: str) -> None:
    body = {spelling: caller.sandbox.access_key, "secretKey": caller.sandbox.secret_key}
    pair = caller.good("POST", f"/auth/generate-token/{caller.sandbox.app_id}", 201, **{encoding: body})
    assert pair.keys() == {"accessToken", "refreshToken"}


@pytest.mark.parametrize("with_keys", [True, False])
def test_refresh_gives_a_new_pair_and_ends_the_old(caller: Caller, with_keys: bool) -> None:
    old = caller.good("POST", f"/auth/generate-token/{caller.sandbox.app_id}", 201, json=caller.keys)
    raw = {"Authorization": old["refreshToken"]}
    new = caller.good("POST", "/auth/refresh-token", 201, headers=raw, json=caller.keys if with_keys else {})
    fresh = {"Authorization": f"Bearer {new['accessToken']}"}
    assert caller.good("GET", "/currencies", headers=fresh)
    stale = {"Authorization": f"Bearer {old['accessToken']}"}
    assert caller.refused("GET", "/currencies", headers=stale) == (401, 9009, "Token has expired.")
    again = caller.refused("POST", "/auth/refresh-token", headers=raw, json={})
    assert again == (401, 9008, "Refresh token has expired.")


def test_currencies_and_their_payment_methods(caller: Caller, merchant: Merchant) -> None:
    currencies = caller.good("GET", "/currencies")
    assert currencies == merchant.currencies
    assert {currency["code"] for currency in currencies} == {"INR", "USD", "JPY", "KWD", "EUR"}
    methods = caller.good("GET", f"/{currencies[0]['id']}/payment-methods")
    assert {method["name"] for method in methods} == {"UPI", "CARD", "NETBANKING", "WALLET"}


def order(merchant: Merchant, code: str = "INR") -> Record:
    currency = next(c["id"] for c in merchant.currencies if c["code"] == code)
    method = merchant.payment_methods[currency][0]["id"]
    return {"currencyId": currency, "paymentMethodId": method, "amount": 345.67, "referenceNumber": "A/1 ü"}


def test_a_payment_from_initiate_to_paid(caller: Caller, merchant: Merchant, today: date) -> None:
    begun = caller.good("POST", "/transaction/initiate", 201, headers=caller.signed(), json=order(merchant))
    pending = caller.good("GET", f"/transaction/txnId/{begun['pe_txnId']}")
    assert (pending["status"].lower() in ("pending", "processing", "authorized"), pending["isPaid"]) == (
        True,
        False,
    )
    assert (pending["amount"], pending["currencyCode"], pending["referenceNumber"]) == (
        "345.67",
        "INR",
        "A/1 ü",
    )
    assert pending["providerOrderId"] == begun["providerOrderId"]

    request = {"pe_txnId": begun["pe_txnId"]}
    done = caller.good("POST", "/transaction/process", 201, headers=caller.signed(), json=request)["order"]
    assert (done["pe_txnId"], done["status"]) == (begun["pe_txnId"], "success")
    paid = caller.good("GET", f"/transaction/referenceNo/{quote('A/1 ü', safe='')}")
    assert (paid["id"], paid["status"], paid["isPaid"]) == (begun["pe_txnId"], "success", True)
    assert paid["updatedAt"] >= paid["createdAt"] == pending["createdAt"]

    days = {"fromDate": str(today - timedelta(days=1)), "toDate": str(today), "limit": "1"}
    assert caller.good("GET", "/transaction", params=days) == [paid]
    # A payment that has ended stays as it ended.
    request["payment_status"] = "failed"
    again = caller.good("POST", "/transaction/process", 201, headers=caller.signed(), json=request)["order"]
    assert again == done


def test_a_payment_that_fails_and_is_tried_again(caller: Caller, merchant: Merchant) -> None:
    first, second = (
        caller.good("POST", "/transaction/initiate", 201, json=order(merchant))["pe_txnId"] for _ in range(2)
    )
    request = {"pe_txnId": first, "payment_status": "failed"}
    done = caller.good("POST", "/transaction/process", 201, headers=caller.signed(), data=request)["order"]
    assert done["status"] == "failed"
    assert not caller.good("GET", f"/transaction/txnId/{first}")["isPaid"]
    assert caller.good("GET", f"/transaction/referenceNo/{quote('A/1 ü', safe='')}")["id"] == second


@pytest.mark.parametrize(
    ("code", "written", "held"),
    [
        ("KWD", "4.950", "4.95"),
        ("JPY", "980", "980"),
        ("INR", "12345678901234567.89", "12345678901234567.89"),
    ],
)
def test_amounts_are_exact_as_number_and_as_text(
    caller: Caller, merchant: Merchant, code: str, written: str, held: str
) -> None:
    fields = order(merchant, code) | {"appId": merchant.app_id}
    for literal in (written, f'"{written}"'):
        body = json.dumps(fields | {"amount": 0}).replace('"amount": 0', f'"amount": {literal}')
        begun = caller.good("POST", "/transaction/initiate", 201, data=body.encode())
        assert begun["amount"] == held


def test_every_reference_finds_its_newest_transaction(caller: Caller, merchant: Merchant) -> None:
    newest = {record["referenceNumber"]: record for record in merchant.transactions}
    odd = [text for text in newest if text and not text.startswith("ORD-")]
    assert len(odd) > 10
    for reference in odd:
        found = caller.good("GET", f"/transaction/referenceNo/{quote(reference, safe='')}")
        assert found == newest[reference]


# Fetch All Transactions


def days_of(merchant: Merchant, first: int, last: int) -> dict[str, str]:
    """Query parameters for UTC days counted from the merchant's first day."""
    return {
        "fromDate": str(merchant.first_day + timedelta(days=first)),
        "toDate": str(merchant.first_day + timedelta(days=last)),
    }


def all_pages(caller: Caller, query: dict[str, str], limit: int) -> list[Record]:
    rows: list[Record] = []
    page = 1
    while got := caller.good("GET", "/transaction", params=query | {"page": str(page), "limit": str(limit)}):
        rows += got
        page += 1
    return rows


@pytest.mark.parametrize("limit", [7, 100, 200])
def test_pages_hold_every_transaction_once_newest_first(
    caller: Caller, merchant: Merchant, limit: int
) -> None:
    rows = all_pages(caller, days_of(merchant, 10, 17), limit)
    first = merchant.first_day + timedelta(days=10)
    last = merchant.first_day + timedelta(days=17)  # included
    expected = [r for r in merchant.transactions if first <= listed_at(r).date() <= last]
    assert rows == expected[::-1]
    assert len(rows) > 100


def test_two_windows_hold_the_whole_merchant_with_its_broken_records(
    caller: Caller, merchant: Merchant
) -> None:
    first = {"fromDate": str(merchant.created_on), "toDate": str(merchant.first_day + timedelta(days=50))}
    rows = all_pages(caller, days_of(merchant, 51, 100), 200) + all_pages(caller, first, 200)
    assert rows == merchant.transactions[::-1]
    assert any(row["createdAt"] is None for row in rows)
    assert any(row["id"] is None for row in rows)


def test_ten_a_page_unless_asked_and_never_more_than_the_largest(caller: Caller, merchant: Merchant) -> None:
    query = days_of(merchant, 10, 40)
    assert len(caller.good("GET", "/transaction", params=query)) == 10
    assert len(caller.good("GET", "/transaction", params=query | {"limit": "100000"})) == 200


def test_without_dates_all_transactions_are_listed(caller: Caller, merchant: Merchant) -> None:
    assert caller.good("GET", "/transaction") == merchant.transactions[:-11:-1]


def test_a_page_after_the_last_is_empty(caller: Caller, merchant: Merchant) -> None:
    assert caller.good("GET", "/transaction", params=days_of(merchant, 10, 17) | {"page": "999"}) == []


def test_ninety_days_counting_both_ends_are_allowed(caller: Caller, merchant: Merchant) -> None:
    assert caller.good("GET", "/transaction", params=days_of(merchant, 0, 89))


def test_the_creation_day_and_today_are_allowed(caller: Caller, merchant: Merchant, today: date) -> None:
    created = {"fromDate": str(merchant.created_on), "toDate": str(merchant.first_day)}
    assert caller.good("GET", "/transaction", params=created)
    caller.good(
        "GET", "/transaction", params={"fromDate": str(today - timedelta(days=1)), "toDate": str(today)}
    )
