"""Each fault over real HTTP, and that it comes when the seed says so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest
import requests

from reconcile.sandbox.behaviour import Behaviour, named
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve
from tests.support.sandbox_caller import TIMEOUT


@pytest.fixture(scope="module")
def merchant() -> Merchant:
    return Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=5), 5)


Ask = Callable[[], requests.Response]


@contextmanager
def asking(merchant: Merchant, behaviour: Behaviour) -> Iterator[tuple[Sandbox, Ask]]:
    """A server and a request for a new pair of tokens, the call that needs nothing before it."""
    with serve(merchant, behaviour=behaviour) as sandbox:
        keys = {"accessKey": sandbox.access_key, "secretKey": sandbox.secret_key}

        def ask() -> requests.Response:
            url = f"{sandbox.base_url}/auth/generate-token/{sandbox.app_id}"
            return requests.post(url, json=keys, timeout=TIMEOUT)

        yield sandbox, ask


def always(fault: str) -> Behaviour:
    return Behaviour(faults=(fault,), fault_every=1, drip_seconds=0.4, hang_seconds=0.3)


@pytest.mark.parametrize(("fault", "status"), [("500", 500), ("502", 502), ("503", 503), ("429", 429)])
def test_an_error_instead_of_the_answer(merchant: Merchant, fault: str, status: int) -> None:
    with asking(merchant, always(fault)) as (sandbox, ask):
        answer = ask()
        assert answer.status_code == status
        assert "Retry-After" not in answer.headers
        assert sandbox.answers == {status: 1}
    if status == 502:
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<html>")


def test_a_429_that_says_how_long(merchant: Merchant) -> None:
    with asking(merchant, always("429-retry-after")) as (_, ask):
        assert ask().headers["Retry-After"] == "1"


@pytest.mark.parametrize("fault", ["reset", "hang", "cut"])
def test_broken_connections(merchant: Merchant, fault: str) -> None:
    with asking(merchant, always(fault)) as (sandbox, ask):
        began = monotonic()
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as raised:
            ask()
        assert (fault == "reset") <= ("reset" in str(raised.value).lower())
        assert (monotonic() - began >= 0.3) >= (fault == "hang")
        assert sandbox.answers == {0: 1}


def test_a_client_that_leaves_a_hanging_connection_lets_the_server_stop(merchant: Merchant) -> None:
    began = monotonic()
    hanging = replace(always("hang"), hang_seconds=60)
    with asking(merchant, hanging) as (sandbox, _), pytest.raises(requests.ReadTimeout):
        requests.post(f"{sandbox.base_url}/auth/generate-token/{sandbox.app_id}", timeout=0.2)
    assert monotonic() - began < 5


def test_half_of_the_json(merchant: Merchant) -> None:
    with asking(merchant, always("truncated")) as (_, ask):
        answer = ask()
        assert answer.status_code == 201
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()


def test_slow_drops(merchant: Merchant) -> None:
    with asking(merchant, always("drip")) as (_, ask):
        began = monotonic()
        assert ask().json()["result"]
        assert monotonic() - began >= 0.35


def test_faults_come_as_the_seed_says(merchant: Merchant) -> None:
    def statuses(seed: int) -> list[int]:
        behaviour = Behaviour(faults=("500", "502"), fault_every=4, seed=seed)
        with asking(merchant, behaviour) as (_, ask):
            return [ask().status_code for _ in range(24)]

    found = statuses(1)
    assert found == statuses(1) != statuses(2)
    for start in range(0, 24, 4):
        assert sorted(found[start : start + 4])[:3] == [201] * 3
    assert {500, 502} <= {*found}


def test_an_outage(merchant: Merchant) -> None:
    with asking(merchant, named(["outage"])) as (_, ask):
        assert [ask().status_code for _ in range(10)] == [201] * 5 + [503] * 3 + [201] * 2


@pytest.mark.parametrize("profile", ["rate-limit", "rate-limit-silent"])
def test_so_many_requests_a_second(merchant: Merchant, profile: str) -> None:
    with asking(merchant, replace(named([profile]), requests_a_second=5)) as (_, ask):
        began = monotonic()
        answers = [ask() for _ in range(15)]
        granted = sum(answer.status_code == 201 for answer in answers)
        assert 5 <= granted <= 5 + 5 * (monotonic() - began) + 1
        # On a busy machine the last of them comes a second later than the first.
        refused = next(answer for answer in answers if answer.status_code != 201)
        assert refused.json()["code"] == 11005
        assert refused.headers.get("Retry-After") == ("1" if profile == "rate-limit" else None)
        deadline = began + TIMEOUT
        while ask().status_code != 201:
            assert monotonic() < deadline
            sleep(0.02)


def test_tokens_that_die_in_the_middle(merchant: Merchant) -> None:
    for profile, refreshed in (("short-tokens", 201), ("dead-refresh", 401)):
        with asking(merchant, replace(named([profile]), token_requests=3)) as (sandbox, ask):
            pair = ask().json()["result"]
            bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
            listed = [
                requests.get(f"{sandbox.base_url}/transaction", headers=bearer, timeout=TIMEOUT)
                for _ in range(4)
            ]
            assert [answer.status_code for answer in listed] == [200, 200, 200, 401]
            assert listed[-1].json()["code"] == 9009
            raw = {"Authorization": pair["refreshToken"]}
            again = requests.post(f"{sandbox.base_url}/auth/refresh-token", headers=raw, timeout=TIMEOUT)
            assert again.status_code == refreshed
            if refreshed == 401:
                assert again.json()["code"] == 9008
