"""The one place that knows the database: engine, migrations, SQL files, locks, and loading by COPY.

Postgres is the one store. SQLAlchemy holds the connections, psycopg 3 moves the rows. Statements live
in `sql/`, one a file, and are named by their path: `read_sql("match/20_transaction_id")`.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from reconcile.core.errors import Busy, ReconcileError, UsageError
from reconcile.db.embedded.cluster import Home
from reconcile.db.embedded.server import embedded_postgres
from reconcile.settings import Settings

SCHEMA = "reconcile"
CONNECT_SECONDS = 10
_MIGRATION_LOCK = 0x6B737061  # any number that no other program takes for an advisory lock
_FIRST_OF_0_1 = "0001_records"  # the first migration of version 0.1; now there is one schema


def sql_folder() -> Path:
    """Where the statements are: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parents[1] / "sql"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "sql"


@cache
def read_sql(name: str) -> str:
    """The text of one statement file, by its path in `sql/` without the ending."""
    return (sql_folder() / f"{name}.sql").read_text("utf-8")


def sql_names(folder: str) -> list[str]:
    """The statement files of a folder of `sql/`, in the order of their numbers."""
    return sorted(f"{folder}/{path.stem}" for path in (sql_folder() / folder).glob("*.sql"))


@contextmanager
def open_store(settings: Settings) -> Iterator[Engine]:
    """An engine on the configured database, else on the embedded one, with all migrations applied.

    Raises UsageError if RECONCILE_DATABASE_URL does not lead to a PostgreSQL that lets us in.
    """
    with ExitStack() as stack:
        url = settings.database_url or stack.enter_context(embedded_postgres(settings.home))
        engine = create_engine(
            url,
            poolclass=NullPool,
            connect_args={"connect_timeout": CONNECT_SECONDS},
            hide_parameters=True,  # an error must not carry the values of a row into a log
        )
        stack.callback(engine.dispose)
        event.listen(engine, "connect", _prepare)
        try:
            migrate(engine, empty=_empty_database(settings))
        except DBAPIError as error:
            if settings.database_url is None:
                raise
            where = f"the database at {engine.url.host or 'the socket'}"
            what = "does not answer" if isinstance(error, OperationalError) else "cannot be set up"
            reason = " ".join(str(error.orig).split())
            raise UsageError(f"RECONCILE_DATABASE_URL: {where} {what}: {reason}") from None
        yield engine


def _empty_database(settings: Settings) -> str:
    """How to get an empty database under these settings: the end of a sentence."""
    if settings.database_url:
        return "name an empty database in RECONCILE_DATABASE_URL"
    return f"remove the folder {Home.at(settings.home).data}"


def _prepare(connection: Any, _record: object) -> None:
    # The product's tables have a schema of their own, so that it can share a database with others;
    # session settings that would change how values are read or written are fixed here.
    with connection.cursor() as cursor:
        cursor.execute(f"set search_path to {SCHEMA}, pg_catalog")
        cursor.execute("set timezone to 'UTC'")
        cursor.execute("set datestyle to 'ISO, YMD'")
        cursor.execute("set extra_float_digits to 1")
    connection.commit()


def migrate(engine: Engine, *, empty: str) -> None:
    """Apply the migrations that this database lacks, in order, each in one transaction with its record.

    Two processes that start together take turns (an advisory lock). Raises UsageError for a database that
    version 0.1 made (`empty` says how to get an empty one), and ReconcileError for one that is newer than
    this program or whose migrations were edited after they were applied.
    """
    migrations = {name.removeprefix("migrations/"): read_sql(name) for name in sql_names("migrations")}
    with engine.connect() as connection:
        encoding = connection.scalar(text("show server_encoding"))
        if encoding != "UTF8":
            raise UsageError(
                f"RECONCILE_DATABASE_URL: the database's encoding is {encoding}, which cannot hold every name: "
                "give one with UTF8 (createdb -E UTF8 -T template0 NAME)"
            )
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        connection.execute(text(f"create schema if not exists {SCHEMA}"))
        connection.execute(
            text(
                "create table if not exists migrations (name text primary key, sha256 text not null,"
                " applied_at timestamptz not null default now())"
            )
        )
        connection.commit()
        applied = dict(connection.execute(text("select name, sha256 from migrations")).tuples().all())
        if _FIRST_OF_0_1 in applied:
            raise UsageError(
                "the database was made by version 0.1, whose tables this version cannot read: keep your ledger files, "
                f"decision files and reports, then {empty} and run again: it fetches, imports and matches anew, "
                "and `reconcile resolve` takes the decision files"
            )
        if unknown := sorted(set(applied) - set(migrations)):
            raise ReconcileError(
                f"the database holds migration {unknown[-1]}, which this version does not know: "
                "it was written by a newer version; install that one"
            )
        for name, statements in migrations.items():
            sha256 = hashlib.sha256(statements.encode()).hexdigest()
            if name not in applied:
                connection.exec_driver_sql(statements)
                connection.execute(
                    text("insert into migrations (name, sha256) values (:name, :sha256)"),
                    {"name": name, "sha256": sha256},
                )
            elif applied[name] != sha256:
                raise ReconcileError(
                    f"sql/migrations/{name}.sql was changed after it was applied; add a new one"
                )
            connection.commit()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
        connection.commit()


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


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """COPY rows into a table and say how many they were. Never row by row: a million take seconds."""
    driver = _driver(connection)
    known: dict[tuple[str, ...], list[str]] = connection.info.setdefault("column types", {})
    types = known.get((table, *columns))
    if types is None:  # asked once a connection: a stage copies thousands of blocks into one table
        types = known[table, *columns] = _column_types(connection, table, columns)
    count = 0
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def _driver(connection: Connection) -> Any:
    # What it does belongs to the transaction of the connection; where none was begun, a commit would do nothing.
    if not connection.in_transaction():
        connection.begin()
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver


def _column_types(connection: Connection, table: str, columns: Sequence[str]) -> list[str]:
    types = dict(
        connection.execute(
            text(
                "select a.attname::text, format_type(a.atttypid, null) from pg_attribute a"
                " where a.attrelid = cast(:table as regclass) and a.attnum > 0 and not a.attisdropped"
            ),
            {"table": table},
        )
        .tuples()
        .all()
    )
    return [types[column] for column in columns]


def copy_lines(connection: Connection, table: str, columns: Sequence[str], lines: bytes | memoryview) -> None:
    """COPY rows that are lines of its text format already."""
    driver = _driver(connection)
    with driver.cursor() as cursor, cursor.copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        copy.write(lines)


def run_file(connection: Connection, name: str) -> int:
    """Execute a statement file; the number of rows that its last statement touched."""
    # Without parameters a per cent sign means itself.
    return connection.exec_driver_sql(read_sql(name), execution_options={"no_parameters": True}).rowcount
