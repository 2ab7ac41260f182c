"""Each way to behave that KS Pay's guide leaves open, shown over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest

from reconcile.core.errors import UsageError
from reconcile.sandbox.behaviour import BAD_RECORDS, PROFILES, Behaviour, named
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from reconcile.sandbox.shop import Record, listed_at
from tests.integration.sandbox.test_calls import days_of, order
from tests.support.sandbox_caller import Caller


@pytest.fixture(scope="module")
def merchant() -> Merchant:
    return Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=20), 20)


@contextmanager
def behaving(merchant: Merchant, behaviour: Behaviour, rows: int | None = None) -> Iterator[Caller]:
    with serve(merchant, behaviour=behaviour, rows=rows) as sandbox:
        caller = Caller(sandbox)
        try:
            yield caller
        finally:
            caller.session.close()


def page(caller: Caller, number: int, limit: int = 30, **days: str) -> Any:
    return caller.good("GET", "/transaction", params={"page": str(number), "limit": str(limit)} | days)


def pages(caller: Caller, **days: Any) -> list[Record]:
    rows: list[Record] = []
    number = 1
    while got := page(caller, number, **days):
        rows += got
        number += 1
    return rows


def ids(rows: list[Record]) -> list[str]:
    return [row["id"] for row in rows]


# Order


def test_oldest_first(merchant: Merchant) -> None:
    with behaving(merchant, named(["oldest-first"])) as caller:
        assert pages(caller) == merchant.transactions


def test_last_updated_first_also_within_a_range(merchant: Merchant) -> None:
    def updated(row: Record) -> str:
        return str(row["updatedAt"])

    with behaving(merchant, named(["updated-first"])) as caller:
        rows = pages(caller, **days_of(merchant, 3, 9))
        assert sorted(rows, key=updated, reverse=True) == sorted(rows, key=updated)[::-1]
        assert [updated(row) for row in rows] == sorted(map(updated, rows), reverse=True)
        assert [listed_at(row) for row in rows] != sorted(map(listed_at, rows), reverse=True)
        expected = [r["id"] for r in merchant.transactions if in_days(merchant, r, 3, 9)]
        assert sorted(map(str, ids(rows))) == sorted(map(str, expected))


def in_days(merchant: Merchant, row: Record, first: int, last: int) -> bool:
    return first <= (listed_at(row).date() - merchant.first_day).days <= last


def one_instant(merchant: Merchant, count: int) -> Merchant:
    """The merchant with `count` payments of the same instant, and others around."""
    rows = merchant.transactions
    moment = rows[50]["createdAt"]
    tied = [row | {"id": f"tx_{n:09d}", "createdAt": moment} for n, row in enumerate(rows[50 : 50 + count])]
    return replace(merchant, transactions=[*rows[:40], *tied, *rows[150:160]])


def test_rows_of_one_instant_in_a_new_order_at_each_request(merchant: Merchant) -> None:
    tied = one_instant(merchant, 40)
    with behaving(tied, named(["shuffled-ties"])) as caller:
        first, again = page(caller, 1, 500), page(caller, 1, 500)
        assert first != again
        assert sorted(map(str, first)) == sorted(map(str, again))
        assert first[:10] == again[:10]
        assert first[50:] == again[50:]
        seen = {row["id"] for _ in range(6) for row in page(caller, 3, 10)}
        assert len(seen) > 10  # the same page holds other rows each time


def test_a_row_listed_twice(merchant: Merchant) -> None:
    with behaving(merchant, named(["duplicates", "oldest-first", "total"])) as caller:
        answer = page(caller, 1, 20)
        rows = ids(answer["data"])
        assert rows[6] == rows[7]
        assert rows[14] == rows[15]
        assert answer["total"] == len(merchant.transactions) + len(merchant.transactions) // 7


# Pages


@pytest.mark.parametrize(
    ("profile", "number", "limit", "expected"),
    [
        ("small-limit", 1, 100, slice(0, 20)),
        ("small-limit", 2, 10, slice(10, 20)),
        ("limit-ignored", 2, 7, slice(50, 100)),
        ("page-ignored", 3, 25, slice(0, 25)),
        ("everything", 3, 25, slice(0, None)),
        ("newest-first", 2, 25, slice(25, 50)),
    ],
)
def test_limit_and_page(merchant: Merchant, profile: str, number: int, limit: int, expected: slice) -> None:
    with behaving(merchant, named([profile])) as caller:
        assert page(caller, number, limit) == merchant.transactions[::-1][expected]


def test_lists_and_totals_in_an_object(merchant: Merchant) -> None:
    count = len(merchant.transactions)
    shapes: dict[str, dict[str, int]] = {
        "object": {},
        "total": {"total": count},
        "total-pages": {"totalPages": -(-count // 30)},
        "wrong-total": {"total": count - 7},
    }
    for profile, totals in shapes.items():
        with behaving(merchant, named([profile])) as caller:
            answer = page(caller, 2)
            rows = answer.pop("transactions" if profile == "object" else "data")
            assert answer == totals
            assert rows == merchant.transactions[::-1][30:60]


def test_bare_answers(merchant: Merchant) -> None:
    with behaving(merchant, named(["bare"])) as caller:
        assert caller.call("GET", "/transaction").json() == merchant.transactions[:-11:-1]
        currency = caller.call("GET", "/currencies").json()[0]
        assert "id" not in currency
        methods = caller.call("GET", f"/{currency['currencyId']}/payment-methods").json()
        assert methods[0]["paymentMethodId"].startswith("pm_")


def test_amounts_as_numbers_and_the_status_under_another_name(merchant: Merchant) -> None:
    with behaving(merchant, Behaviour(amounts_as_numbers=True, status_name="statusCode")) as caller:
        text = caller.call("GET", "/transaction").text
        assert [str(r["amount"]) for r in json.loads(text, parse_float=str)["result"]] == [
            r["amount"] for r in merchant.transactions[:-11:-1]
        ]
        assert '"amount":"' not in text
        assert caller.call("GET", "/transaction", params={"page": "0"}).json()["statusCode"] == 400


# Ranges


def test_to_date_is_midnight(merchant: Merchant) -> None:
    with behaving(merchant, named(["midnight"])) as caller:
        rows = pages(caller, **days_of(merchant, 3, 9))
        assert rows == [r for r in merchant.transactions if in_days(merchant, r, 3, 8)][::-1]


def test_ninety_days_apart_and_one_day(merchant: Merchant) -> None:
    created = Behaviour(created_on=merchant.first_day - timedelta(days=200))
    apart = days_of(merchant, -71, 19)
    with behaving(merchant, created) as caller:
        assert caller.refused("GET", "/transaction", params=apart)[1] == 11006
    with behaving(merchant, replace(created, count_both_ends=False, one_day_allowed=True)) as caller:
        assert caller.good("GET", "/transaction", params=apart)
        assert caller.refused("GET", "/transaction", params=days_of(merchant, -72, 19))[1] == 11006
        rows = pages(caller, **days_of(merchant, 4, 4))
        assert rows == [r for r in merchant.transactions if in_days(merchant, r, 4, 4)][::-1]


def test_days_of_another_zone(merchant: Merchant) -> None:
    with behaving(merchant, named(["other-zone"])) as caller:
        rows = pages(caller, **days_of(merchant, 3, 9))
        days = {merchant.shop.business_date(listed_at(row)) - merchant.first_day for row in rows}
        assert days == {timedelta(days=day) for day in range(3, 10)}


def test_the_range_is_of_updates(merchant: Merchant) -> None:
    with behaving(merchant, named(["by-update"])) as caller:
        first, after = (merchant.first_day + timedelta(days=day) for day in (3, 10))
        late = caller.sandbox.change(merchant.transactions[0]["id"], updatedAt=f"{first}T00:00:00.000Z")
        rows = pages(caller, **days_of(merchant, 3, 9))
        assert late in rows
        assert not in_days(merchant, late, 3, 9)
        assert {str(row["id"]) for row in rows} == {
            str(row["id"]) for row in caller.sandbox.records() if str(first) <= row["updatedAt"] < str(after)
        }


def test_the_creation_day(merchant: Merchant) -> None:
    created = merchant.first_day + timedelta(days=5)
    with behaving(merchant, Behaviour(created_on=created)) as caller:
        assert caller.refused("GET", "/transaction", params=days_of(merchant, 4, 9))[1] == 11008
        assert caller.good("GET", "/transaction", params=days_of(merchant, 5, 9))


# What changes meanwhile


def test_payments_come_in_while_a_listing_is_read(merchant: Merchant) -> None:
    with behaving(merchant, replace(named(["arrivals"]), at_most=2)) as caller:
        before = len(caller.sandbox.records())
        found = [ids(page(caller, 1, 3)) for _ in range(7)]
        assert [one == other for one, other in pairwise(found)] == [*(True, False, True, False, True, True)]
        assert len(caller.sandbox.records()) == before + 2


def test_backdated_payments_come_into_the_range(merchant: Merchant) -> None:
    days = days_of(merchant, 3, 9)
    with behaving(merchant, named(["backdated"])) as caller:
        before = len(page(caller, 1, 500, **days))
        page(caller, 1, 500, **days)
        assert len(page(caller, 1, 500, **days)) == before + 1


def test_payments_change_while_a_listing_is_read(merchant: Merchant) -> None:
    with behaving(merchant, named(["changes", "updated-first"])) as caller:
        first, again, then = (page(caller, 1, 500) for _ in range(3))
        assert first == again != then
        assert then[0]["updatedAt"] > first[0]["updatedAt"]
        assert sorted(map(str, ids(first))) == sorted(map(str, ids(then)))


def test_data_changed_from_outside(merchant: Merchant) -> None:
    with behaving(merchant, named(["updated-first"])) as caller:
        sandbox = caller.sandbox
        record = merchant.transactions[3]
        changed = sandbox.change(record["id"], status="refunded")
        assert changed == record | {"status": "refunded", "updatedAt": changed["updatedAt"]}
        assert caller.good("GET", f"/transaction/txnId/{record['id']}") == changed
        assert page(caller, 1)[0] == changed
        added = record | {"id": "tx_123456789", "referenceNumber": "new"}
        sandbox.add(added)
        assert caller.good("GET", "/transaction/referenceNo/new") == added
        assert added in sandbox.records()
        with pytest.raises(KeyError):
            sandbox.change("tx_000000000", status="paid")
        assert sandbox.requests["list_transactions"] == 1
        assert (sandbox.requests["by_id"], sandbox.requests["generate_token"]) == (1, 1)
        assert sandbox.answers == {200: 3, 201: 1}


# Payments


def begun(caller: Caller, merchant: Merchant, headers: dict[str, str], **fields: str) -> Any:
    fields_of_order = order(merchant) | fields
    return caller.good("POST", "/transaction/initiate", 201, headers=headers, json=fields_of_order)


def test_a_payment_begins_for_keys_in_headers(merchant: Merchant) -> None:
    with behaving(merchant, Behaviour()) as caller:
        assert begun(caller, merchant, caller.keys, interfaceType="sdk")["pe_txnId"]
    path, fields = "/transaction/initiate", order(merchant)
    with behaving(merchant, named(["key-headers"])) as caller:
        assert begun(caller, merchant, caller.keys)["pe_txnId"]
        for other in (caller.signed(), {"Authorization": f"Bearer {caller.token}"}, {}):
            assert caller.refused("POST", path, headers=other, json=fields)[1] == 9000
        wrong = caller.keys | {"secretKey": "other"}
        assert caller.refused("POST", path, headers=wrong, json=fields)[1] == 11004
        assert (
            caller.refused("POST", path, headers={"accessKey": "other", "secretKey": "x"}, json=fields)[1]
            == 11001
        )


@pytest.mark.parametrize("profile", ["signature-object", "signature-text"])
def test_a_payment_is_processed_by_its_signature_alone(merchant: Merchant, profile: str) -> None:
    path = "/transaction/process"
    with behaving(merchant, named([profile])) as caller:
        answer = begun(caller, merchant, caller.signed())
        if profile == "signature-object":
            assert answer.keys() == {"signature"}
            answer = answer["signature"]
        assert isinstance(answer, str)
        theirs, (mine, *_) = {"x-signature": answer}, caller.sandbox.records()[::-1]
        other = caller.refused(
            "POST", path, headers=theirs, json={"pe_txnId": merchant.transactions[0]["id"]}
        )
        assert other[:2] == (400, 25)
        assert caller.refused("POST", path, headers=caller.signed())[0] == 400  # of no payment
        done = caller.good("POST", path, 201, headers=theirs | {"origin": "https://shop.example"})
        assert (done["order"]["pe_txnId"], done["order"]["status"]) == (mine["id"], "success")


def test_process_answers_gateway_and_details(merchant: Merchant) -> None:
    with behaving(merchant, named(["gateway-details"])) as caller:
        payment = begun(caller, merchant, caller.signed())
        body = {"pe_txnId": payment["pe_txnId"]}
        done = caller.good("POST", "/transaction/process", 201, headers=caller.signed(), json=body)
        assert (done["gateway"], done["altTxnId"]) == (payment["gateway"], payment["providerOrderId"])
        details = done["details"]["initiateTransaction"]
        assert details.keys() == {
            *(
                "key",
                "amount",
                "productinfo",
                "firstname",
                "email",
                "phone",
                "surl",
                "furl",
                "enforce_paymethod",
            )
        }
        assert details["amount"] == "345.67"


def test_calls_that_are_gone(merchant: Merchant) -> None:
    with behaving(merchant, named(["no-signatures", "no-look-up"])) as caller:
        path = f"/auth/generate-signature/{caller.sandbox.app_id}"
        assert caller.refused("POST", path, json=caller.keys) == (404, -10, f"Cannot POST /v1{path}")
        path = "/transaction/referenceNo/ORD-1"
        assert caller.refused("GET", path) == (404, -10, f"Cannot GET /v1{path}")
        assert caller.good("GET", "/transaction")
    with pytest.raises(ValueError, match="no such behaviour: by_id"):
        Behaviour(without=("by_id",))


# Bad records, clocks, bulk


@pytest.mark.parametrize("kind", BAD_RECORDS)
def test_bad_records(kind: str) -> None:
    # Few enough for one page, whatever days they are.
    merchant = Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=10), 10)
    with behaving(merchant, Behaviour(bad_records=(kind,))) as caller:
        body = caller.call("GET", "/transaction", params={"limit": "500"}).content
        if kind.startswith("invalid-utf8"):
            with pytest.raises(UnicodeDecodeError):
                body.decode()
        assert b"x" * 1_000_000 in body if kind == "long-text" else True
        assert b'"amount":NaN' in body if kind == "nan-literal" else True
        assert b'"amount":-Infinity' in body if kind == "infinity-literal" else True
        assert b'"amount":1e400' in body if kind == "huge" else True
        rows = json.loads(body.decode(errors="replace"))["result"]
        extra = 2 if kind == "two-versions" else 1
        assert len(rows) == len(merchant.transactions) + extra
        if kind == "two-versions":
            twice = [r for r in rows if r["referenceNumber"] == "BAD-two-versions"]
            assert len({(r["id"], r["updatedAt"]) for r in twice}) == 1
            assert twice[0]["amount"] != twice[1]["amount"]


def test_a_clock_that_is_ahead(merchant: Merchant) -> None:
    with behaving(merchant, named(["fast-clock"])) as caller:
        date = parsedate_to_datetime(caller.call("GET", "/currencies").headers["Date"])
        assert timedelta(seconds=590) < date - datetime.now(UTC) < timedelta(seconds=610)


def test_rows_in_bulk_are_found_every_way(merchant: Merchant) -> None:
    with behaving(merchant, Behaviour(total="total"), rows=10_000) as caller:
        answer = page(caller, 2, 500)
        rows = answer["data"]
        assert answer["total"] == 10_000
        assert [row["referenceNumber"] for row in rows] == [f"ORD-{n}" for n in range(9499, 8999, -1)]
        row = rows[7]
        assert caller.good("GET", f"/transaction/txnId/{row['id']}") == row
        assert caller.good("GET", f"/transaction/referenceNo/{row['referenceNumber']}") == row
        counted = page(caller, 1, 500, **days_of(merchant, 3, 9))
        assert counted["total"] == 3500
        assert {listed_at(r).date() for r in counted["data"]} == {merchant.first_day + timedelta(days=9)}
    with behaving(merchant, named(["oldest-first", "by-update"]), rows=100_000) as caller:
        rows = page(caller, 1, 500, **days_of(merchant, 3, 9))
        assert len({row["id"] for row in rows}) == 500
        assert rows[0]["updatedAt"] >= str(merchant.first_day + timedelta(days=3)) > rows[0]["createdAt"]


def test_rows_in_bulk_do_not_change(merchant: Merchant) -> None:
    with pytest.raises(UsageError, match="bulk"), serve(merchant, behaviour=named(["changes"]), rows=10):
        pass


def test_profiles_add_up_and_unknown_ones_are_refused() -> None:
    both = named(["errors", "resets", "oldest-first"])
    assert (both.faults, both.order) == (("500", "reset"), "oldest")
    assert all(named([name]) for name in PROFILES)
    with pytest.raises(UsageError, match="--profile nonsense"):
        named(["nonsense"])
    with pytest.raises(ValueError, match="no such behaviour: flood"):
        Behaviour(faults=("flood",))
