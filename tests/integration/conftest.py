"""What the tests that need KS Pay share."""

from collections.abc import Iterator

import pytest

from tests.support.kspay_server import KSPayServer


@pytest.fixture
def server() -> Iterator[KSPayServer]:
    with KSPayServer() as running:
        yield running
