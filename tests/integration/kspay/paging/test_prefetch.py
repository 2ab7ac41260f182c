"""Several requests at once: pages ahead of their turn, one pace, one refresh of the tokens at a time."""

import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from reconcile.core.records import Period
from reconcile.kspay.errors import NotFoundError, PermissionDeniedError, ProtocolError
from tests.support.kspay_server import Asked, KSPayServer, Reply, failure, paged, record, success

MARCH = Period(date(2026, 3, 1), date(2026, 3, 31))
CHANGED = "2026-05-01T00:00:00.000Z"  # outside the month: the range is seen to filter `createdAt`


def march(count: int) -> list[dict[str, Any]]:
    return [record(n, f"2026-03-{n % 31 + 1:02d}T10:00:00.000Z", updatedAt=CHANGED) for n in range(count)]


def fetched(client: Any) -> list[str]:
    return [row.values["id"] for page in client.transactions(MARCH) for row in page.rows]


def workers() -> list[threading.Thread]:
    """Those of the client's pool; other tests of the session may have a sandbox in a thread of its own."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("kspay_")]


class Together:
    """Holds answers back until so many requests wait for theirs at once."""

    def __init__(self, answer: Any, parties: int, pages: range) -> None:
        self.answer, self.pages = answer, pages
        self.barrier = threading.Barrier(parties)

    def __call__(self, asked: Asked) -> Reply:
        if int(asked.query["page"]) in self.pages:
            self.barrier.wait(20)
        reply: Reply = self.answer(asked)
        return reply


def test_pages_are_asked_for_at_once_and_given_in_order(server: KSPayServer) -> None:
    rows = march(200)
    # Of twenty pages, from the fourth on, four at a time are answered only when all four were asked for.
    server.on("GET", "/transaction", Together(paged(rows), 4, range(5, 17)))
    with server.client(page_size=10, concurrency=4, give_up_seconds=30) as client:
        assert fetched(client) == [row["id"] for row in rows]
        assert client.windows_read[0].proof
    assert workers() == []


def test_no_more_than_so_many_pages_are_ahead(server: KSPayServer) -> None:
    server.on("GET", "/transaction", paged(march(300)))
    with server.client(page_size=10, concurrency=4) as client:
        pages = client.transactions(MARCH)
        for number in range(1, 16):
            assert next(pages).number == number
            asked = [int(each.query["page"]) for each in server.requests("GET", "/transaction")]
            assert max(asked) <= number + 3
        pages.close()  # type: ignore[attr-defined]  # a generator
    assert workers() == []


def test_an_error_ahead_is_raised_at_once_and_ends_all_threads(server: KSPayServer) -> None:
    listing = paged(march(200))

    def handler(asked: Asked) -> Reply:
        page = int(asked.query["page"])
        if page == 5:
            failed.wait(20)  # answered only after the client has failed: nobody waits for its turn
        if page == 6:
            return failure(403, 9003, "Access denied, insufficient permission")
        return listing(asked)

    failed = threading.Event()
    server.on("GET", "/transaction", handler)
    with server.client(page_size=10, concurrency=4, give_up_seconds=60) as client:
        with pytest.raises(PermissionDeniedError):
            fetched(client)
        failed.set()
    assert workers() == []
    assert max(int(each.query["page"]) for each in server.requests("GET", "/transaction")) <= 8


def test_an_error_beyond_the_end_is_nobodys(server: KSPayServer) -> None:
    listing = paged(march(60))

    def handler(asked: Asked) -> Reply:
        if int(asked.query["page"]) > 7:
            return failure(400, 4089, "page must be greater than 0")
        return listing(asked)

    server.on("GET", "/transaction", handler)
    with server.client(page_size=10, concurrency=4) as client:
        assert len(fetched(client)) == 60


def test_leaving_the_client_ends_tries_that_wait(server: KSPayServer) -> None:
    listing = paged(march(200))

    def handler(asked: Asked) -> Reply:
        page = int(asked.query["page"])
        if page == 4:
            tried.wait(20)
        if page == 5:
            tried.set()
            return failure(503, None, "down", Retry_After="3600")
        return listing(asked)

    tried = threading.Event()
    server.on("GET", "/transaction", handler)
    started = time.monotonic()
    with server.client(page_size=10, concurrency=4, give_up_seconds=7200) as client:
        pages = client.transactions(MARCH)
        for _ in range(4):
            next(pages)
    assert workers() == []
    assert time.monotonic() - started < 600


class Limiter:
    """Grants so many requests a second, counted by its own clock from second to second."""

    def __init__(self, answer: Any, a_second: int, **headers: str) -> None:
        self.answer, self.a_second, self.headers = answer, a_second, headers
        self.lock = threading.Lock()
        self.granted: Counter[int] = Counter()
        self.refused_at: list[int] = []
        self.requests = 0

    def __call__(self, asked: Asked) -> Reply:
        with self.lock:
            self.requests += 1
            second = int(time.monotonic())
            if self.granted[second] >= self.a_second:
                self.refused_at.append(self.requests)
                return failure(429, 11005, "Too many requests made in a short period", **self.headers)
            self.granted[second] += 1
        reply: Reply = self.answer(asked)
        return reply


WAYS = {
    "pages, silent": ("pages", 0.5, {}),
    "pages, silent, hardly waiting": ("pages", 0.01, {}),
    "pages, Retry-After": ("pages", 0.5, {"Retry_After": "1"}),
    "pages, Retry-After 0": ("pages", 0.01, {"Retry_After": "0"}),
    "ids, silent, hardly waiting": ("ids", 0.01, {}),
    "unknown ids, Retry-After 0": ("unknown ids", 0.01, {"Retry_After": "0"}),
}


@pytest.mark.parametrize(("asked_for", "backoff", "headers"), WAYS.values(), ids=WAYS)
def test_a_rate_limit_is_learnt(
    server: KSPayServer, asked_for: str, backoff: float, headers: dict[str, str]
) -> None:
    answers = {
        "pages": paged(march(600)),
        "ids": lambda _: success(record(1)),
        "unknown ids": lambda _: failure(404, 24, "No data found with this ID!"),
    }
    limiter = Limiter(answers[asked_for], 200, **headers)
    server.on("GET", "/transaction", limiter)
    with server.client(page_size=1, concurrency=4, give_up_seconds=60, backoff_seconds=backoff) as client:
        if asked_for == "pages":
            assert len(fetched(client)) == 600
        else:
            for _ in range(600):
                with suppress(NotFoundError):
                    client.transaction("tx_1")
    warm = 250
    late = [number for number in limiter.refused_at if number > warm]
    assert len(late) <= 0.05 * (limiter.requests - warm)
    assert len(limiter.refused_at) <= 0.1 * limiter.requests  # no storm before either


def test_one_refusal_stops_all_workers(server: KSPayServer) -> None:
    """Half a second after a refusal, and until the time that it asks for, no worker asks for anything."""
    listing = paged(march(200))
    refused = False
    early: list[int] = []
    quiet, over = threading.Event(), threading.Event()
    lock = threading.Lock()

    def handler(asked: Asked) -> Reply:
        nonlocal refused
        page = int(asked.query["page"])
        with lock:
            if page == 10 and not refused:
                refused = True
                for seconds, event in ((0.5, quiet), (0.9, over)):
                    threading.Timer(seconds, event.set).start()
                return failure(429, 11005, "Too many requests made in a short period", Retry_After="1")
            if quiet.is_set() and not over.is_set():
                early.append(page)
        # What is under way is answered after the refusal has arrived: the worker must not go on with another page.
        if page in range(7, 14):
            quiet.wait(5)
        return listing(asked)

    server.on("GET", "/transaction", handler)
    with server.client(page_size=10, concurrency=4, give_up_seconds=60) as client:
        assert len(fetched(client)) == 200
    assert over.is_set()
    assert early == []


def test_short_lived_tokens_and_four_workers(server: KSPayServer) -> None:
    server.token_seconds = 2.0
    tries: Counter[tuple[str, ...]] = Counter()
    listing = server.guarded(paged(march(900)))
    refreshing = 0
    most_refreshing = 0
    lock = threading.Lock()

    def counted(asked: Asked) -> Reply:
        with lock:
            tries[asked.query["fromDate"], asked.query["page"]] += 1
        if int(asked.query["page"]) % 40 == 0:
            threading.Event().wait(0.15)  # so that the tokens age
        return listing(asked)

    def refresh(asked: Asked) -> Reply:
        nonlocal refreshing, most_refreshing
        with lock:
            refreshing += 1
            most_refreshing = max(most_refreshing, refreshing)
        reply = server.refresh(asked)
        with lock:
            refreshing -= 1
        return reply

    server.on("GET", "/transaction", counted)
    server.on("POST", "/auth/refresh-token", refresh)
    with server.client(page_size=1, concurrency=4, give_up_seconds=60) as client:
        assert sorted(fetched(client)) == [row["id"] for row in march(900)]
    assert server.times("POST", "/auth/refresh-token") >= 2
    assert most_refreshing == 1
    assert server.times("POST", "/auth/generate-token/") == 1
    ends = {"1", "900", "901"}  # asked for again by the proof
    assert max(count for (_, page), count in tries.items() if page not in ends) <= 2


def test_an_unknown_shape_shows_kinds_and_lengths_only(server: KSPayServer) -> None:
    result = {"cursor": "secret-value", "eve@example.org": {"a": 1}, "found": 3, "tx_aNNJ7BJbt": [1, 2]}
    server.on("GET", "/transaction", success({**result, "other": [3]}))
    with server.client() as client, pytest.raises(ProtocolError) as caught:
        fetched(client)
    text = str(caught.value)
    assert "cursor: text of 12 characters" in text
    assert "(a name of 15 characters): object of 1 fields" in text
    assert "list of 2" in text
    assert not any(word in text for word in ("secret-value", "eve@", "tx_aNN"))
