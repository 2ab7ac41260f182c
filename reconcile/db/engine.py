"""Opens the database: the configured one or the embedded one, with its tables up to date."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from psycopg import Connection, Error
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from reconcile.core.errors import DatabaseUnreachable, UsageError
from reconcile.db import SCHEMA, failures
from reconcile.db.embedded.cluster import Home
from reconcile.db.embedded.server import embedded_postgres
from reconcile.db.migrations import migrate
from reconcile.settings import Settings

CONNECT_SECONDS = 10
_RECYCLE_SECONDS = 60

_FOR_GOOD = (
    "authentication failed",
    "does not exist",
    "pg_hba.conf",
    "permission denied",
    "not permitted",
    "no password",
)
"""What a server or libpq says of a connection that time does not cure. Such an error has no code; all other words, and
those of a server that speaks another language, are taken for a server that may answer later."""


@contextmanager
def open_store(settings: Settings) -> Iterator[Engine]:
    """An engine on the configured database, else on the embedded one, with all migrations applied.

    Failures that were kept in RECONCILE_HOME while the database was away are taken in.

    Raises DatabaseUnreachable if RECONCILE_DATABASE_URL does not lead to a PostgreSQL that accepts the connection,
    and UsageError if `migrate` refuses the database, for example because it does not know the business time zone.
    """
    with open_database(settings) as engine:
        with errors_explained(engine, settings):
            migrate(engine, empty=_empty_database(settings), zone=settings.timezone.key)
        failures.take_in(engine, settings.home)
        yield engine


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """An engine on the same database as it is: no table is made."""
    with ExitStack() as stack:
        url = settings.database_url or stack.enter_context(embedded_postgres(settings.home))
        engine = create_engine(
            url,
            # A night connects twenty times, and a server needs some milliseconds for each new process. So a
            # connection is used again, as if it were new (`_clear`), and one that was lost meanwhile is replaced. An
            # old one is replaced unasked: where a network has dropped it in silence, the question would hang.
            max_overflow=-1,
            pool_reset_on_return=None,
            pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
            # Each statement is planned for its values, also one that was asked in an earlier use of the connection.
            connect_args={"connect_timeout": CONNECT_SECONDS, "prepare_threshold": None},
            hide_parameters=True,  # an error must not carry the values of a row into a log
            use_native_hstore=False,  # no column has this type, and each engine would ask for it
        )
        stack.callback(engine.dispose)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "reset", _clear)
        yield engine


@contextmanager
def errors_explained(engine: Engine, settings: Settings) -> Iterator[None]:
    """Turn the error of a first use of the configured database into a UsageError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        if settings.database_url is None:
            raise
        where = f"RECONCILE_DATABASE_URL: the database at {engine.url.host or 'the socket'}"
        reason = " ".join(str(error.orig).split())
        if not isinstance(error, OperationalError):
            raise UsageError(f"{where} cannot be set up: {reason}") from None
        if any(words in reason for words in _FOR_GOOD):
            raise UsageError(f"{where} refuses the connection: {reason}") from None
        raise DatabaseUnreachable(f"{where} does not answer: {reason}") from None


def _empty_database(settings: Settings) -> str:
    """How to get an empty database under these settings: the end of a sentence."""
    if settings.database_url:
        return "name an empty database in RECONCILE_DATABASE_URL"
    return f"remove the folder {Home.at(settings.home).data}"


_SETTINGS = f"""
set search_path to {SCHEMA}, pg_catalog;
set timezone to 'UTC';
set datestyle to 'ISO, YMD';
set extra_float_digits to 1;
-- Profiles of the planner forbid ways to join, by a price so high that a server that compiles its statements would
-- compile each of ours, a few rows or many: minutes instead of seconds.
set jit to off;
"""
"""They decide which tables are seen and how values are read and written: a server's own must not."""


def _prepare(connection: Connection[Any], _record: object) -> None:
    connection.execute(_SETTINGS)
    connection.commit()


# What of `discard all` concerns us, in one message: that statement may not stand beside others.
_CLEARING = f"""
close all;
discard temp;
reset all;
select pg_advisory_unlock_all();
{_SETTINGS}
"""


def _clear(connection: Connection[Any], record: ConnectionPoolEntry, _state: object) -> None:
    """Leave nothing of a use to the next: no transaction, temporary table, setting or lock."""
    try:
        connection.rollback()
        connection.autocommit = True
        connection.execute(_CLEARING)
        connection.autocommit = False
    except Error:
        record.invalidate()  # it is lost, and the pool makes a new one
