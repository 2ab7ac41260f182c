"""Errors: every documented one through HTTP, chosen by status, code and message together."""

import pickle

import pytest

from reconcile.core.errors import KSPayError
from reconcile.kspay import errors
from reconcile.kspay.errors import CallError, CatalogueEntry, catalogue
from tests.support.kspay_server import KSPayServer, Reply, failure

RETRYABLE = {"rate_limit", "server", "provider"}


def filled(entry: CatalogueEntry) -> str:
    """The documented words with values in their places, as a server sends them."""
    values = ("id", "prefix", "length", "ids", "env", "keys", "name", "currency", "decimalValue")
    return (entry.message or "").format(**{name: f"<{name} 1>" for name in values})


def answered(server: KSPayServer, reply: Reply) -> CallError:
    server.on("GET", "/transaction/txnId/", reply)
    with server.client(give_up_seconds=0) as client, pytest.raises(CallError) as caught:
        client.transaction("tx_1")
    return caught.value


@pytest.mark.parametrize("entry", catalogue(), ids=lambda e: f"{e.status}/{e.code}/{e.name}")
def test_each_documented_error_raises_its_class(server: KSPayServer, entry: CatalogueEntry) -> None:
    error = answered(server, failure(entry.status or 400, entry.code, filled(entry)))
    assert type(error) is errors.FAMILIES[entry.family]
    assert isinstance(error, KSPayError)
    assert error.exit_code == 4
    assert (error.status, error.code) == (entry.status or 400, entry.code)
    assert error.message == " ".join(filled(entry).split())
    assert error.retryable is (entry.family in RETRYABLE and entry.name != "invalidCredentials")
    assert error.call == "GET /transaction/txnId/tx_1"
    text = str(error)
    assert "\n" not in text
    assert error.call in text
    assert f"status {error.status}" in text
    assert entry.code is None or f"code {entry.code}" in text
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__  # noqa: S301


@pytest.mark.parametrize(
    "body",
    [
        {"statusCode": 400, "code": 11006, "message": "Date range exceeds limit!"},
        {"httpStatus": 400, "code": "11006", "message": ["Date range exceeds limit!"]},
        {"error": {"status": 400, "code": 11006, "message": "Date range exceeds limit!"}},
        {"status": 400, "code": 11006, "message": "Date range exceeds limit!"},
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_renderings_of_an_error_even_dressed_as_success(
    server: KSPayServer, body: dict[str, object], status: int
) -> None:
    if status == 200 and "error" in body:
        body = {**body, "status": 400}
    error = answered(server, Reply(status, body))
    assert isinstance(error, errors.DateRangeError)
    assert (error.status, error.code) == (400, 11006)


def test_the_servers_words_are_one_line_short_and_without_secrets(server: KSPayServer) -> None:
    words = f"first\r\nsecond\x1b[31m {server.credentials.secret_key} {'x' * 1000}"
    error = answered(server, failure(400, 25, words))
    assert error.message.startswith("first second [31m *** xxx")
    assert len(error.message) <= 300
