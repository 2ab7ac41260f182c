"""Credentials: where they may be sent, and that they never show."""

import pytest

from reconcile.core.errors import UsageError
from reconcile.kspay import Credentials
from tests.support.kspay_server import (
    APP_ID,
)


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
