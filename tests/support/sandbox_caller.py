"""What the sandbox's tests share: a merchant, its server, and a caller that is logged in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve

TIMEOUT = 10


class Caller:
    """HTTP calls to a sandbox; `token` goes along as Bearer unless the headers say otherwise."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.keys = {"accessKey": sandbox.access_key, "secretKey": sandbox.secret_key}
        self.session = requests.Session()
        pair = self.call("POST", f"/auth/generate-token/{sandbox.app_id}", json=self.keys).json()
        self.token = pair.get("result", pair)["accessToken"]

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


def hundred_days() -> Merchant:
    """A merchant whose hundred days end yesterday, so that every range a test asks for is in the past."""
    return Merchant.made_up(11, datetime.now(UTC).date() - timedelta(days=100), 100)


@contextmanager
def calling(merchant: Merchant) -> Iterator[Caller]:
    """A caller of a server of the merchant, which gives at most 200 transactions a page."""
    with serve(merchant, behaviour=Behaviour(max_limit=200)) as sandbox:
        caller = Caller(sandbox)
        try:
            yield caller
        finally:
            caller.session.close()
