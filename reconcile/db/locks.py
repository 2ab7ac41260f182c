"""Locks of an app, which the database drops when the process that holds them dies."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from reconcile.core.errors import Busy
from reconcile.db import SCHEMA


@contextmanager
def app_locks(engine: Engine, app_ids: Iterable[str], *, wait: bool, advice: str = "") -> Iterator[None]:
    """Hold the lock of each app while a run works on it; the database drops it if the process dies.

    Raises Busy, with the advice, if another run holds one of them and `wait` is false.
    """

    def refuse(app_id: str) -> None:
        if not wait:
            raise Busy(f"another run works on app {app_id}: try again when it is done{advice}")

    with _locks(engine, "app", app_ids, refuse):
        yield


@contextmanager
def match_locks(engine: Engine, app_ids: Iterable[str]) -> Iterator[None]:
    """Hold, once nobody else does, what lets one at a time match an app's records: a run, or one that takes it back."""
    with _locks(engine, "match", app_ids, lambda _: None):
        yield


@contextmanager
def _locks(engine: Engine, kind: str, app_ids: Iterable[str], held: Callable[[str], None]) -> Iterator[None]:
    # A connection of its own that stays idle, so that the server sees at once when we are gone.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            for app_id in sorted(app_ids):
                key = {"key": f"{SCHEMA} {kind} {app_id}"}
                while not connection.scalar(
                    text("select pg_try_advisory_lock(hashtextextended(:key, 0))"), key
                ):
                    held(app_id)
                    time.sleep(0.5)
            yield
        finally:
            # The server may learn later that the connection is closed, and the next run would be told to come
            # back. If it is the server that is gone, so is the lock.
            with suppress(OperationalError):
                connection.execute(text("select pg_advisory_unlock_all()"))
