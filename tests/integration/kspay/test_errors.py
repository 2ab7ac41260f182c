"""Errors: every documented one through HTTP, chosen by status, code and message together."""

import json
import pickle
from pathlib import Path

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


def test_the_catalogue_is_whole() -> None:
    assert len(catalogue()) == 125
    assert {entry.family for entry in catalogue()} == set(errors.FAMILIES) - {"protocol"}


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


AMBIGUOUS = [
    (400, 11008, "The start date cannot be before the app creation date.", errors.DateRangeError),
    (400, 11008, "Start date is before app creation", errors.DateRangeError),
    (400, 11008, "Access key does not match any active credentials", errors.AuthenticationError),
    (400, 11008, "access key mismatch", errors.AuthenticationError),
    (400, 11008, "", errors.InvalidRequestError),
    (429, 11005, "", errors.RateLimitError),
    (400, 11005, "", errors.AuthenticationError),
    (400, 11006, "The format of the provided signature is invalid", errors.AuthenticationError),
    (404, 11001, "", errors.AuthenticationError),
    (400, 11003, "User does not belong to the specified application", errors.PermissionDeniedError),
    (403, 13007, "", errors.PermissionDeniedError),
    (400, 13007, "", errors.InvalidRequestError),
    (503, 11006, "Date range exceeds limit! Date range should not exceed 90 days.", errors.ServerError),
    (400, 4711, "new", errors.InvalidRequestError),
    (401, None, "", errors.AuthenticationError),
    (403, None, "", errors.PermissionDeniedError),
    (404, None, "", errors.NotFoundError),
    (409, None, "", errors.ConflictError),
    (418, None, "", errors.InvalidRequestError),
    (429, None, "", errors.RateLimitError),
    (502, None, "", errors.ServerError),
    (204, None, "", errors.ProtocolError),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), AMBIGUOUS)
def test_codes_with_several_meanings_and_with_none(
    status: int, code: int | None, message: str, kind: type[CallError]
) -> None:
    assert type(errors.error_for("GET /x", status, code, message)) is kind


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


def test_every_class_is_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name in [kind.__name__ for kind in errors.FAMILIES.values()] + ["UnreachableError", "CallError"]:
        assert f"── {name} " in tree


def test_the_data_file_names_a_family_for_each_entry() -> None:
    path = Path(errors.__file__).with_name("errors.json")
    assert all(row["family"] in errors.FAMILIES for row in json.loads(path.read_text("utf-8")))
