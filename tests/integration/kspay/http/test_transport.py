"""One request: retries, patience, redirects, proxies, cookies, and answers that no server should give."""

import socket
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import (
    CallError,
    ConflictError,
    ProtocolError,
    RateLimitError,
    ServerError,
    UnreachableError,
)
from reconcile.kspay.http.transport import Repeated
from tests.support.kspay_server import (
    APP_ID,
    Asked,
    KSPayServer,
    Reply,
    failure,
    record,
    success,
)

ONE = "/transaction/txnId/"
GOOD = success(record(1))


def ask(server: KSPayServer, **options: Any) -> dict[str, Any]:
    with server.client(**options) as client:
        return client.transaction("tx_000000001")


PASSING = [
    failure(500, 26, "Oops! Something went wrong"),
    failure(400, 28, "DB Error"),
    Reply(502, b"<html>bad gateway</html>"),
    Reply(503, b""),
    failure(429, 11005, "Too many requests made in a short period"),
    failure(429, 11005, "Too many requests made in a short period", Retry_After="0"),
    Reply(200, {"result": "cut"}, fault="reset"),
    Reply(200, {"result": "a long text that is cut off on its way"}, fault="truncate"),
    Reply(200, b'{"status": 200, "result": {"id": "tx_1'),
    Reply(200, b""),
    Reply(400, b'{"status": 400, "code": 110'),
]


@pytest.mark.parametrize("trouble", PASSING, ids=lambda r: f"{r.status} {r.fault or str(r.body)[:20]}")
def test_what_may_pass_is_tried_again(server: KSPayServer, trouble: Reply) -> None:
    server.on("GET", ONE, trouble, trouble, GOOD)
    with server.client(give_up_seconds=30) as client:
        assert client.transaction("tx_000000001")["id"] == "tx_000000001"
        assert client.repeated_requests == 2
    assert server.times("GET", ONE) == 3


def test_the_signature_of_a_transaction_is_removed(server: KSPayServer) -> None:
    server.on("GET", ONE, GOOD)
    assert "signature" not in ask(server)


def test_an_outage_is_survived_as_long_as_told(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(503, None, "down"))
    started = time.monotonic()
    with pytest.raises(
        ServerError, match=r"status 503.*gave up after \d+ tries in 1 s.*RECONCILE_GIVE_UP"
    ) as caught:
        ask(server, give_up_seconds=1)
    assert 0.9 <= time.monotonic() - started < 5
    assert caught.value.exit_code == 4


def test_the_time_to_give_up_starts_anew_with_each_good_answer(server: KSPayServer) -> None:
    down = failure(503, None, "down")
    server.on("GET", ONE, *[down, down, GOOD] * 12, GOOD)
    with server.client(give_up_seconds=1, backoff_seconds=0.2) as client:
        for _ in range(12):
            client.transaction("tx_1")


def test_retry_after_is_honoured(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(429, 11005, "Too many requests", Retry_After="1"), GOOD)
    started = time.monotonic()
    ask(server, give_up_seconds=30)
    assert time.monotonic() - started >= 1


def test_retry_after_as_a_date_is_read_by_the_servers_clock(server: KSPayServer) -> None:
    server.clock_ahead = 86400

    def busy(asked: Asked) -> Reply:
        again = format_datetime(datetime.fromtimestamp(server.now() + 2, UTC), usegmt=True)
        return failure(429, 11005, "Too many requests", Retry_After=again)

    server.on("GET", ONE, busy, GOOD)
    started = time.monotonic()
    ask(server, give_up_seconds=30)
    assert 0.9 <= time.monotonic() - started < 10


def test_a_wait_beyond_the_patience_ends_with_one_last_try(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(429, 11005, "Too many requests", Retry_After="3600"))
    with pytest.raises(RateLimitError, match="gave up after 2 tries"):
        ask(server, give_up_seconds=1)


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_an_answer_that_never_ends_is_given_up(server: KSPayServer, fault: str) -> None:
    server.on("GET", ONE, Reply(200, {"result": "x" * 2000}, fault=fault))
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="no whole answer in time"):
        ask(server, give_up_seconds=1)
    assert time.monotonic() - started < 10


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        credentials = Credentials(f"http://127.0.0.1:{taken.getsockname()[1]}", APP_ID, "a-key", "s-key")
        with (
            KSPay(credentials, give_up_seconds=0) as client,
            pytest.raises(
                UnreachableError, match=f"POST /auth/generate-token/{APP_ID}.*refused.*KSPAY_BASE_URL"
            ),
        ):
            client.server_today()


def test_a_redirect_is_not_followed(server: KSPayServer) -> None:
    server.on("GET", ONE, Reply(302, b"", {"Location": f"{server.url}/elsewhere?token=t"}))
    with pytest.raises(
        ProtocolError, match=r"status 302.*redirect to http://127\.0\.0\.1, which is not followed"
    ):
        ask(server)
    assert server.times("GET", "/elsewhere") == 0


def test_what_will_not_pass_is_asked_once(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(409, 12002, "Payment method with this name already exists"))
    with pytest.raises(ConflictError):
        ask(server)
    assert server.times("GET", ONE) == 1


def test_neither_netrc_nor_proxies_come_between(
    server: KSPayServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://user:proxy-password@127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://user:proxy-password@127.0.0.1:1")
    server.on("GET", ONE, server.guarded(GOOD))
    ask(server)
    assert server.requests("POST", "/auth/")[0].authorization is None
    assert server.requests("GET", ONE)[0].authorization == f"Bearer {server.access}"


def test_cookies_are_not_kept(server: KSPayServer) -> None:
    server.on("GET", ONE, Reply(200, {"result": record(1)}, {"Set-Cookie": "node=1; Path=/"}))
    with server.client() as client:
        client.transaction("tx_1")
        client.transaction("tx_1")
    assert "Cookie" not in server.asked[-1].headers


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(302, b"", {"Location": "http://[::1"}), "a redirect, which is not followed"),
        (Reply(400, {"status": 400, "code": "--5", "message": "no"}), "status 400"),
        (Reply(200, {"id": "tx_1"}, {"Content-Length": "5, 6"}), "the connection broke"),
        (Reply(200, {"code": 24, "message": "No data found with this ID!"}), "No data found"),
        (Reply(200, {"result": None}), "no transaction"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_odd_answer_is_told_in_one_line(server: KSPayServer, reply: Reply, says: str) -> None:
    server.on("GET", ONE, reply)
    with pytest.raises(CallError, match=says) as caught:
        ask(server, give_up_seconds=0.1)
    assert caught.value.exit_code == 4


def test_the_bytes_of_an_earlier_good_answer_are_not_decoded(server: KSPayServer) -> None:
    server.on("GET", ONE, PASSING[0], GOOD, GOOD)
    bodies = []

    def is_repeated(body: bytes) -> bool:
        bodies.append(body)
        return bodies.count(body) > 1

    with server.client() as client:
        path = f"{ONE}tx_000000001"
        first, second = (client._calls.get("GET it", path, is_repeated=is_repeated) for _ in range(2))
    assert isinstance(second, Repeated)
    assert second.decoded() == first
    assert len(bodies) == 2  # of the failure nobody was asked
