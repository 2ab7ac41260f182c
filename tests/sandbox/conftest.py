"""What the sandbox's tests share: a merchant of a month, its server, and a caller that is logged in."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the oracle of matching

TIMEOUT = 10


class Caller:
    """HTTP calls to a sandbox; `token` goes along as Bearer unless the headers say otherwise."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.keys = {"accessKey": sandbox.access_key, "secretKey": sandbox.secret_key}
        self.session = requests.Session()
        self.token = self.good("POST", f"/auth/generate-token/{sandbox.app_id}", 201, json=self.keys)[
            "accessToken"
        ]

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        token = getattr(self, "token", "")
        headers = options.pop("headers", {"Authorization": f"Bearer {token}"})
        return self.session.request(
            method, self.sandbox.base_url + path, headers=headers, timeout=TIMEOUT, **options
        )

    def good(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The result of a call that must succeed."""
        answer = self.call(method, path, **options)
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert body.keys() == {"status", "message", "result"}
        assert (body["status"], body["message"]) == (status, "success")
        return body["result"]

    def refused(self, method: str, path: str, **options: Any) -> tuple[int, int, str]:
        """Status, code and message of a call that must be refused."""
        answer = self.call(method, path, **options)
        body = answer.json()
        assert body.keys() == {"status", "code", "message"}, body
        assert body["status"] == answer.status_code
        return body["status"], body["code"], body["message"]

    def signed(self) -> dict[str, str]:
        """A header with a fresh signature."""
        path = f"/auth/generate-signature/{self.sandbox.app_id}"
        return {"x-signature": self.good("POST", path, 201, json=self.keys)}


@pytest.fixture(scope="session")
def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture(scope="session")
def merchant(today: date) -> Merchant:
    """A hundred days that end yesterday, so that every range a test asks for is in the past."""
    return Merchant.made_up(11, today - timedelta(days=100), 100)


@pytest.fixture
def caller(merchant: Merchant) -> Iterator[Caller]:
    with serve(merchant, max_limit=200) as sandbox:
        caller = Caller(sandbox)
        yield caller
        caller.session.close()
