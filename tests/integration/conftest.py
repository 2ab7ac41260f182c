"""What the tests share that need KS Pay or a desk."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.desk import Desk, new_app, side_by_side
from tests.support.kspay_server import KSPayServer
from tests.support.stories import stories_of


@pytest.fixture
def server() -> Iterator[KSPayServer]:
    with KSPayServer() as running:
        yield running


@pytest.fixture
def desk(fresh_engine: Engine, tmp_path: Path) -> Desk:
    """A desk of an app of its own, so that the tests share one database and no record."""
    return Desk(fresh_engine, tmp_path, None, new_app())


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[None]]:
    """All stories of the module that were asked for, played side by side."""
    stories = stories_of(request.module.__name__, (item.name for item in request.session.items))
    return side_by_side(fresh_engine, tmp_path_factory.mktemp("stories"), stories)
