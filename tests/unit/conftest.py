"""What unit tests share, and that none of them starts a server."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3  # noqa: F401  its import binds a socket, which `_no_server` would take for a server's


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A unit test that asks for the Postgres of the session belongs to tests/integration."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "postgres_url" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} asks for a Postgres: it belongs to tests/integration")


def _refuse(*_: object, **__: object) -> None:
    pytest.fail("a unit test starts a server: it belongs to tests/integration")


@pytest.fixture(autouse=True, scope="module")
def _no_server() -> Iterator[None]:
    """A unit test that starts a Postgres or a server fails: it belongs to tests/integration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "bind", _refuse)
        patch.setattr("reconcile.db.embedded.server.embedded_postgres", _refuse)
        yield
