"""Tokens: taken, renewed, replaced; and the keys stay secret."""

import threading
from typing import Any

import pytest

from reconcile.kspay import Credentials, KSPay
from reconcile.kspay.errors import (
    AuthenticationError,
    CallError,
    ProtocolError,
)
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

ONE = "/transaction/txnId/"
GOOD = success(record(1))


def ask(server: KSPayServer, **options: Any) -> dict[str, Any]:
    with server.client(**options) as client:
        return client.transaction("tx_000000001")


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
        "may have been regenerated",
        "***",
    ):
        assert part in text
    assert "wrong-" not in text + repr(caught.value)
    assert server.times("POST", "/auth/generate-token/") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        failure(400, 11002, "The key provided is not active at the moment"),
        failure(404, 11001, "Credentials not found for the provided access key"),
        failure(401, None, "Unauthorized"),
        failure(400, None, "Bad credentials"),
        failure(400, 4711, "no such key"),
    ],
)
def test_any_refusal_of_the_keys_says_that_they_may_be_old(server: KSPayServer, refusal: Reply) -> None:
    server.on("POST", "/auth/generate-token/", refusal)
    with server.client() as client, pytest.raises(CallError, match="may have been regenerated") as caught:
        client.currencies()
    assert "\n" not in str(caught.value)


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
