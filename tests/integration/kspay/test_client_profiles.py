"""Every profile and fault of the sandbox, by name: the client fetches exactly what the server holds."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from reconcile.core.records import TEXT_FAULTS, Period, RawRow
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import IncompleteError
from reconcile.sandbox.behaviour import FAULTS, PROFILES, Behaviour, named
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve

DAYS = 8
PAGE_SIZE = 15
REQUESTS_IN_TROUBLE = {  # profiles that must have shown themselves in what the server answered
    "errors": 500,
    "bad-gateway": 502,
    "outage": 503,
    "too-many": 429,
    "rate-limit": 429,
    "rate-limit-silent": 429,
    "short-tokens": 401,
    "dead-refresh": 401,
    **dict.fromkeys(("resets", "cut", "truncated", "hang"), 0),
}


@pytest.fixture(scope="module")
def merchant() -> Merchant:
    return Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=DAYS), DAYS)


@contextmanager
def fetching(
    merchant: Merchant, behaviour: Behaviour, page_size: int | None = PAGE_SIZE, concurrency: int = 4
) -> Iterator[tuple[Sandbox, KSPay]]:
    quick = replace(behaviour, drip_seconds=0.2, hang_seconds=0.15)
    with serve(merchant, behaviour=quick) as sandbox:
        keys = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
        with KSPay(
            keys, page_size=page_size, concurrency=concurrency, give_up_seconds=60, backoff_seconds=0.01
        ) as client:
            yield sandbox, client


def fetch(client: KSPay, merchant: Merchant) -> list[RawRow]:
    days = Period(merchant.first_day, merchant.last_day)
    rows = [row for page in client.transactions(days) for row in page.rows]
    assert client.windows_read
    assert all(window.proof for window in client.windows_read)
    return rows


def written(record: Mapping[str, Any]) -> str:
    """A record but for its secret, its amount as the number that it is."""
    values = {key: value for key, value in record.items() if key != "signature"}
    with suppress(InvalidOperation, KeyError):  # the amount of a bad record
        values["amount"] = Decimal(str(values["amount"]))
    return json.dumps(values, sort_keys=True, default=str)


def all_of(records: Iterable[Mapping[str, Any]]) -> set[str]:
    return {written(record) for record in records}


def check_fetched(merchant: Merchant, sandbox: Sandbox, client: KSPay) -> None:
    """Every record is fetched as it was before or is now, none is missing, and there is no other."""
    before = sandbox.records()
    rows = [row.values for row in fetch(client, merchant)]
    after = sandbox.records()
    if before == after:
        # A record whose very text is broken is noted as such, and the others come as they are.
        broken = {row.get("id") for row in rows if TEXT_FAULTS in row}
        assert all_of(r for r in rows if r.get("id") not in broken) == all_of(
            r for r in after if r.get("id") not in broken
        )
    ids = {row.get("id") for row in rows}
    assert {record.get("id") for record in before} <= ids <= {record.get("id") for record in after}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile(merchant: Merchant, profile: str) -> None:
    behaviour = named([profile])
    concurrency = 4
    if behaviour.token_requests:
        # Of several workers one could meet two tokens in a row that the others have used up.
        behaviour, concurrency = replace(behaviour, token_requests=3), 1
    page_size = 100 if profile == "page-ignored" else PAGE_SIZE  # a day has to fit into an answer then
    with fetching(merchant, behaviour, page_size, concurrency) as (sandbox, client):
        check_fetched(merchant, sandbox, client)
        if profile in REQUESTS_IN_TROUBLE:
            assert sandbox.answers[REQUESTS_IN_TROUBLE[profile]]
        changed = len(sandbox.records()) - len(merchant.transactions)
        assert (changed > 0) == (
            profile in {"arrivals", "backdated", "bad-records", "bad-bytes", "bad-literal"}
        )


@pytest.mark.parametrize(
    "fault", sorted({*FAULTS}.difference(*(fields.get("faults", ()) for _, fields in PROFILES.values())))
)
def test_a_fault_without_a_profile(merchant: Merchant, fault: str) -> None:
    with fetching(merchant, Behaviour(faults=(fault,), fault_every=5), page_size=50) as (sandbox, client):
        check_fetched(merchant, sandbox, client)


SPECIAL = {
    "all faults at once": named(
        ["errors", "bad-gateway", "resets", "cut", "truncated", "drip", "hang", "too-many"]
    ),
    "a silent cap and rows of one instant": named(["small-limit", "shuffled-ties"]),
    "a cap in the middle of a page": Behaviour(max_limit=7, order="oldest"),
    "an ignored limit and a listing that changes": named(["limit-ignored", "arrivals", "changes"]),
    "an ignored page and a cap": replace(named(["page-ignored"]), max_limit=120),
    "an ignored page and Kolkata's days up to midnight": named(["page-ignored", "other-zone", "midnight"]),
    "an ignored page and payments that come in": named(["page-ignored", "arrivals", "oldest-first"]),
    "an ignored page and rows listed twice": named(["page-ignored", "duplicates"]),
    "ranges of updates that change": named(["by-update", "updated-first", "changes"]),
    "today is another day": Behaviour(today_zone="Pacific/Niue"),
    "slow": Behaviour(delay=0.02),
    "errors with httpStatus": replace(named(["errors"]), status_name="httpStatus"),
    "errors with statusCode": replace(named(["errors"]), status_name="statusCode"),
    "number of pages, bare, in an object": named(["total-pages", "bare", "object"]),
    "a count that is too high": Behaviour(total="count", total_off=9),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_behaviours_together(merchant: Merchant, name: str) -> None:
    behaviour = SPECIAL[name]
    # Where `page` is ignored, a day has to fit into an answer.
    with fetching(merchant, behaviour, PAGE_SIZE if behaviour.honours_page else 120) as (sandbox, client):
        check_fetched(merchant, sandbox, client)


@pytest.mark.parametrize(
    "profiles",
    [
        "small-limit",
        "limit-ignored",
        "page-ignored",
        "everything",
        "by-update changes updated-first",
        "backdated duplicates",
        "shuffled-ties total",
        "errors cut hang resets truncated too-many",
        "wrong-total midnight other-zone",
    ],
)
@pytest.mark.parametrize("cap", [180, 500])
def test_pages_that_grow_where_the_server_gives_more(merchant: Merchant, profiles: str, cap: int) -> None:
    behaviour = named(profiles.split())
    behaviour = replace(behaviour, max_limit=min(cap, behaviour.max_limit or cap))
    with fetching(merchant, behaviour, page_size=None) as (sandbox, client):
        check_fetched(merchant, sandbox, client)


@pytest.mark.parametrize("page_size", [PAGE_SIZE, 100])
@pytest.mark.parametrize("arrivals", [0, 3])
def test_the_first_fifty_whatever_page_and_limit(merchant: Merchant, page_size: int, arrivals: int) -> None:
    behaviour = Behaviour(
        honours_page=False,
        honours_limit=False,
        default_limit=50,
        arrive_every=arrivals,
        arrive_backdated=True,
    )
    calm = replace(merchant, transactions=merchant.transactions[::2])  # two days hold fewer than fifty
    assert len(calm.transactions) > 60
    with fetching(calm, behaviour, page_size) as (sandbox, client):
        check_fetched(calm, sandbox, client)
        assert len(client.windows_read) > 1


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(repeat_every=7, max_limit=20, shuffle_ties=True),
        Behaviour(repeat_every=2, shuffle_ties=True),
        Behaviour(repeat_every=2, shuffle_ties=True, filters_by="updatedAt", order="updated"),
    ],
)
def test_rows_listed_twice_in_a_new_order_each_time(merchant: Merchant, behaviour: Behaviour) -> None:
    at = f"{merchant.first_day}T10:00:00.000Z"
    rows = [record | {"createdAt": at, "updatedAt": at} for record in merchant.transactions if record["id"]]
    tied = replace(merchant, transactions=rows[:37])
    with fetching(tied, behaviour) as (sandbox, client):
        check_fetched(tied, sandbox, client)


@pytest.mark.parametrize("order", ["newest", "oldest", "updated"])
@pytest.mark.parametrize("honours_page", [True, False])
def test_the_last_page_is_exactly_full(merchant: Merchant, order: Any, honours_page: bool) -> None:
    rows = [
        record
        for record in merchant.transactions
        if record["id"] and record["createdAt"] and record["createdAt"] > f"{merchant.first_day}T00:00:00Z"
    ]
    full = replace(merchant, transactions=rows[-4 * PAGE_SIZE :])
    behaviour = Behaviour(order=order, honours_page=honours_page)
    with fetching(full, behaviour, page_size=PAGE_SIZE if honours_page else 4 * PAGE_SIZE) as (
        sandbox,
        client,
    ):
        check_fetched(full, sandbox, client)


def test_an_empty_period(merchant: Merchant) -> None:
    empty = replace(merchant, transactions=[])
    with fetching(empty, Behaviour()) as (_, client):
        assert fetch(client, empty) == []
        assert client.windows_read[0].proof


def test_a_day_that_no_page_shows_whole_is_refused(merchant: Merchant) -> None:
    with (
        fetching(merchant, named(["page-ignored"]), page_size=3) as (_, client),
        pytest.raises(IncompleteError, match=r"the first transactions only.*RECONCILE_PAGE_SIZE"),
    ):
        fetch(client, merchant)
