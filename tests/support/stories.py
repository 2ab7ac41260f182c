"""Stories: tests at a desk, whose nights are those of all stories of a module."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from reconcile.decide.result import RowsRefused
from tests.support.desk import Desk, Row, Story

_STORIES: dict[tuple[str, str], Story] = {}
"""By module and name."""


def story(told: Story) -> Callable[[dict[str, Future[None]]], None]:
    """A test at a desk of its own, whose nights are those of all such tests of its module."""
    _STORIES[told.__module__, told.__name__] = told

    def test(played: dict[str, Future[None]]) -> None:
        played[told.__name__].result()

    test.__name__, test.__doc__ = told.__name__, told.__doc__
    return test


def stories_of(module: str, names: Iterable[str]) -> dict[str, Story]:
    """Those of a module that have these names."""
    asked = set(names)
    return {name: told for (where, name), told in _STORIES.items() if where == module and name in asked}


def refused(desk: Desk, row: Row, by: str = "Asha Rao") -> str:
    """Why the row is refused."""
    with pytest.raises(RowsRefused) as error:
        desk.resolve(row, by=by)
    (line,) = error.value.lines
    return line.partition(": ")[2]


def of(desk: Desk, *records: Any) -> list[Any]:
    """The same records, of the desk's app."""
    return [replace(record, app=desk.apps[0]) for record in records]
