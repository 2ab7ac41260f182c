"""Locks of an app, which the database drops when the process that holds them dies."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from reconcile.core.errors import Busy
from reconcile.core.progress import Progress
from reconcile.db import SCHEMA

LOOK_SECONDS = 0.5
"""How often somebody who waits for another process looks whether it is done."""


@contextmanager
def app_locks(
    engine: Engine,
    app_ids: Iterable[str],
    *,
    wait: bool,
    advice: str = "",
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the lock of each app while a run works on it.

    Raises Busy, with the advice, if another run holds one of the locks and `wait` is false; else calls `waiting` with
    the app until the lock is free.
    """

    def refuse(app_id: str) -> None:
        if not wait:
            raise Busy(f"another run works on app {app_id}: try again when it is done{advice}")
        waiting(app_id)

    with _locks(engine, "app", app_ids, refuse):
        yield


@contextmanager
def match_locks(engine: Engine, app_ids: Iterable[str], progress: Progress) -> Iterator[None]:
    """Hold the lock of each app that lets one process at a time match its records; waits for the others, and says so.

    A run holds it while it matches, and so does a trial that is rolled back.
    """

    def waiting(app_id: str) -> None:
        progress("wait", f"another run, trial or check matches the records of app {app_id}", None)

    with _locks(engine, "match", app_ids, waiting):
        yield


@contextmanager
def holding_back(engine: Engine, turn: str) -> Iterator[None]:
    """Hold the lock of this name, for whose end other processes wait (`turn_has_come`)."""
    with _locks(engine, "turn", [turn], lambda _: None):
        yield


def turn_has_come(engine: Engine, turn: str) -> bool:
    """Whether nobody holds this one back, or the process that did is gone."""
    with engine.connect() as connection:
        # Of the transaction, which ends here.
        free: bool = connection.execute(
            text("select pg_try_advisory_xact_lock_shared(hashtextextended(:key, 0))"),
            {"key": f"{SCHEMA} turn {turn}"},
        ).scalar_one()
    return free


@contextmanager
def _locks(engine: Engine, kind: str, app_ids: Iterable[str], held: Callable[[str], None]) -> Iterator[None]:
    # On a connection of its own, which stays idle: so the server notices at once when this process ends.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            for app_id in sorted(app_ids):
                key = {"key": f"{SCHEMA} {kind} {app_id}"}
                while not connection.scalar(
                    text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), key
                ):
                    held(app_id)
                    time.sleep(LOOK_SECONDS)
            yield
        finally:
            # The server may notice only later that the connection is closed, and would refuse the next run until
            # then. If the server itself is gone, so is the lock.
            with suppress(OperationalError):
                connection.execute(text("select pg_advisory_unlock_all()"))
