"""One request: retries, patience, redirects, proxies, secrets; and the tokens."""

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from reconcile.core.errors import UsageError
from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import (
    AuthenticationError,
    CallError,
    ConflictError,
    ProtocolError,
    RateLimitError,
    ServerError,
    UnreachableError,
)
from tests.support.kspay_server import (
    ACCESS_KEY,
    APP_ID,
    SECRET_KEY,
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
    assert ask(server, give_up_seconds=30)["id"] == "tx_000000001"
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


# Tokens.


@pytest.mark.parametrize("enveloped", [True, False])
def test_the_keys_are_sent_in_the_body_and_the_token_as_bearer(server: KSPayServer, enveloped: bool) -> None:
    server.enveloped = enveloped
    server.on("GET", ONE, server.guarded(GOOD if enveloped else Reply(200, record(1))))
    assert ask(server)["status"] == "SUCCESS"
    asked = server.asked[0]
    assert (asked.path, asked.json) == (
        f"/auth/generate-token/{APP_ID}",
        {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY},
    )
    assert not any(SECRET_KEY in each.path or SECRET_KEY in str(each.query) for each in server.asked)


def test_an_expired_token_is_refreshed_once(server: KSPayServer) -> None:
    server.on("GET", ONE, server.guarded(GOOD))
    with server.client() as client:
        client.transaction("tx_1")
        server.dead_access.add(server.access)
        client.transaction("tx_1")
    refreshes = server.requests("POST", "/auth/refresh-token")
    assert [asked.authorization for asked in refreshes] == ["refresh-1"]
    assert server.times("POST", "/auth/generate-token/") == 1


def test_a_dead_refresh_token_leads_to_a_new_pair(server: KSPayServer) -> None:
    server.on("GET", ONE, server.guarded(GOOD))
    server.on("POST", "/auth/refresh-token", failure(401, 9008, "Refresh token has expired."))
    with server.client() as client:
        client.transaction("tx_1")
        server.dead_access.add(server.access)
        client.transaction("tx_1")
    assert server.times("POST", "/auth/generate-token/") == 2


def test_9008_on_a_call_leads_to_a_new_pair(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(401, 9008, "Invalid token."), server.guarded(GOOD))
    ask(server)
    assert server.times("POST", "/auth/refresh-token") == 0
    assert server.times("POST", "/auth/generate-token/") == 2


def test_a_token_refused_twice_ends_the_request(server: KSPayServer) -> None:
    server.on("GET", ONE, failure(401, 9009, "Token has expired."))
    with pytest.raises(AuthenticationError, match="code 9009"):
        ask(server)
    assert server.times("GET", ONE) == 2


@pytest.mark.parametrize("ahead", [-86400.0, 0.0, 86400.0])
def test_tokens_are_renewed_ahead_of_their_end_by_the_servers_clock(
    server: KSPayServer, ahead: float
) -> None:
    server.clock_ahead = ahead
    server.token_seconds = 2.0
    server.on("GET", ONE, server.guarded(GOOD))
    with server.client() as client:
        client.transaction("tx_1")
        client.transaction("tx_1")
        assert server.times("POST", "/auth/refresh-token") == 0
        threading.Event().wait(2.0)
        client.transaction("tx_1")
    assert server.times("POST", "/auth/refresh-token") == 1
    assert server.times("GET", ONE) == 3


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.eyJleHAiOiJzb29uIn0.c", "a.eyJleHAiOjF9.c"])
def test_tokens_whose_end_cannot_be_told_are_used_until_refused(server: KSPayServer, token: str) -> None:
    server.on("POST", "/auth/generate-token/", success({"accessToken": token, "refreshToken": "r"}, 201))
    server.on("GET", ONE, GOOD)
    ask(server)
    assert server.times("POST", "/auth/refresh-token") == 0
    assert server.requests("GET", ONE)[0].authorization == f"Bearer {token}"


@pytest.mark.parametrize(
    "result", [None, [], {}, {"accessToken": ""}, {"accessToken": "a\nb", "refreshToken": "r"}]
)
def test_an_answer_without_a_token_is_told(server: KSPayServer, result: Any) -> None:
    server.on("POST", "/auth/generate-token/", success(result, 201))
    with pytest.raises(ProtocolError, match=f"POST /auth/generate-token/{APP_ID}.*no accessToken"):
        ask(server)


def test_wrong_keys_are_told_without_their_values(server: KSPayServer) -> None:
    credentials = Credentials(server.url, APP_ID, "wrong-access", "wrong-secret")
    with KSPay(credentials, give_up_seconds=5) as client, pytest.raises(AuthenticationError) as caught:
        client.currencies()
    text = str(caught.value)
    for part in (
        f"POST /auth/generate-token/{APP_ID}",
        "status 400",
        "code 11004",
        "KSPAY_ACCESS_KEY",
        "***",
    ):
        assert part in text
    assert "wrong-" not in text + repr(caught.value)
    assert server.times("POST", "/auth/generate-token/") == 1


def test_one_refresh_at_a_time_and_no_request_lost(server: KSPayServer) -> None:
    server.on("GET", ONE, server.guarded(GOOD))
    failed: list[CallError] = []
    with server.client() as client:
        client.transaction("tx_1")

        def many() -> None:
            try:
                for _ in range(20):
                    client.transaction("tx_1")
            except CallError as error:
                failed.append(error)

        threads = [threading.Thread(target=many) for _ in range(6)]
        server.dead_access.add(server.access)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert server.times("POST", "/auth/") == 2


# Credentials.


def test_credentials_mask_their_keys_and_drop_the_slash() -> None:
    credentials = Credentials("https://example.org/v1/", APP_ID, "an-access-key", "a-secret-key")
    assert credentials.base_url == "https://example.org/v1"
    assert "a-secret-key" not in repr(credentials)
    assert "an-access-key" not in repr(credentials)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.2", "http://[::1]:80", "https://a.example"]
)
def test_addresses_that_may_be_given_the_keys(url: str) -> None:
    assert Credentials(url, APP_ID, "a", "s").base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://127.0.0.1.example.org",
        "ftp://localhost",
        "localhost",
        "https://",
        "https://u:p@h",
        "https://[::1",
        "http://0.0.0.0",
        "https://h/?a=b",
        "https://h:port",
        "http://localhost.example.org",
        " ",
    ],
)
def test_addresses_that_may_not(url: str) -> None:
    with pytest.raises(UsageError, match="KSPAY_BASE_URL") as caught:
        Credentials(url, APP_ID, "a", "s")
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("app_id", "access", "secret", "named"),
    [("ap/1", "a", "s", "APP_ID"), ("ap_1", "", "s", "ACCESS_KEY"), ("ap_1", "a", "s\nx", "SECRET_KEY")],
)
def test_credentials_that_cannot_be_right_name_their_variable(
    app_id: str, access: str, secret: str, named: str
) -> None:
    with pytest.raises(UsageError, match=f"KSPAY_{named}"):
        Credentials("https://h.example", app_id, access, secret)


# The other lists.


@pytest.mark.parametrize(
    "rows",
    [
        [
            {
                "id": "c_1",
                "name": "Indian Rupee",
                "code": "INR",
                "symbol": "₹",
                "type": "FIAT",
                "isActive": True,
            }
        ],
        [{"currencyId": "c_1", "name": "Indian Rupee", "code": "INR", "symbol": "₹", "type": "FIAT"}],
    ],
)
@pytest.mark.parametrize("enveloped", [True, False])
def test_currencies_and_payment_methods(
    server: KSPayServer, rows: list[dict[str, Any]], enveloped: bool
) -> None:
    methods = [{"paymentMethodId": "pm_1", "name": "UPI", "isActive": True, "isDisabled": True}]
    server.on("GET", "/currencies", success(rows) if enveloped else Reply(200, rows))
    server.on("GET", "/c_1/payment-methods", success(methods) if enveloped else Reply(200, methods))
    with server.client() as client:
        (currency,) = client.currencies()
        (method,) = client.payment_methods(currency.id)
    assert (currency.id, currency.code, currency.name, currency.is_active) == (
        "c_1",
        "INR",
        "Indian Rupee",
        True,
    )
    assert (method.id, method.name, method.is_active) == ("pm_1", "UPI", False)


@pytest.mark.parametrize("result", [{}, [1], [{"name": "no id"}], None])
def test_lists_of_another_shape_are_told(server: KSPayServer, result: Any) -> None:
    server.on("GET", "/currencies", success(result))
    with server.client() as client, pytest.raises(ProtocolError, match="GET /currencies"):
        client.currencies()


def test_server_today_is_asked_once(server: KSPayServer) -> None:
    server.clock_ahead = 7 * 86400
    with server.client() as client:
        expected = datetime.now(UTC).date() + timedelta(days=7)
        assert client.server_today() in (expected, expected + timedelta(days=1))
        client.server_today()
    assert len(server.asked) == 1


# Answers that no server should give.


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


def test_a_key_that_begins_with_the_other_is_hidden_to_its_end(server: KSPayServer) -> None:
    keys = ("merchant42", "merchant42-VERYSECRET")
    refusal = failure(400, 11004, f"Invalid credentials: {keys}")
    server.on("POST", "/auth/generate-token/", refusal)
    for _ in range(10):
        with (
            KSPay(Credentials(server.url, APP_ID, *keys), give_up_seconds=0) as client,
            pytest.raises(AuthenticationError) as caught,
        ):
            client.server_today()
        assert "VERYSECRET" not in str(caught.value)
        assert "merchant42" not in str(caught.value)
