"""A copy of the database in one file, and the database from such a file: Postgres' own pg_dump and pg_restore do it."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from reconcile.core.errors import DatabaseUnreachable, InputRefused, ReconcileError, UsageError
from reconcile.db import SCHEMA
from reconcile.db.embedded.cluster import find_programs, last_words
from reconcile.db.embedded.server import embedded_postgres
from reconcile.db.engine import open_store
from reconcile.db.migrations import make_schema
from reconcile.settings import Settings


def backup(settings: Settings, path: Path) -> int:
    """Write all tables, as they are at one moment, into a new file; gives its size in bytes.

    Runs may go on meanwhile. Raises UsageError if the file exists or cannot be written, ReconcileError if pg_dump
    fails; then there is no file.
    """
    if path.exists():
        raise UsageError(f"{path} exists: name a new file")
    aside = path.with_name(f".{path.name}.writing")
    try:
        # Nobody else may read it: it holds every record.
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with open_store(settings) as engine:
            url = engine.url.render_as_string(hide_password=False)
            _postgres("pg_dump", url, ["--format=custom", f"--schema={SCHEMA}", f"--file={aside}"])
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path.stat().st_size


def restore(settings: Settings, path: Path) -> None:
    """Fill an empty database from the file of a backup, all or nothing, and bring its tables up to date.

    Raises UsageError if the database is not empty or does not answer, InputRefused if the file is no backup.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    with path.open("rb") as file:
        if file.read(5) != b"PGDMP":
            raise InputRefused(f"{path}: is no backup that `reconcile backup` wrote")
    with _database(settings) as url:
        _make_schema(settings, url)
        _postgres("pg_restore", url, ["--single-transaction", f"--schema={SCHEMA}", str(path)])
    with open_store(settings):
        pass  # migrations that the backup lacks are applied


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The URL of the configured database, else of the embedded one, without any table made."""
    with ExitStack() as stack:
        yield settings.database_url or stack.enter_context(embedded_postgres(settings.home))


def _make_schema(settings: Settings, url: str) -> None:
    """The empty schema, which an administrator may have made for the role; pg_restore would insist on making it."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.begin() as connection:
            make_schema(connection)
            tables = connection.scalar(
                text("select count(*) from pg_tables where schemaname = :schema"), {"schema": SCHEMA}
            )
    except OperationalError as error:
        raise DatabaseUnreachable(f"RECONCILE_DATABASE_URL: {' '.join(str(error.orig).split())}") from None
    if tables:
        advice = (
            "name an empty one in RECONCILE_DATABASE_URL"
            if settings.database_url
            else "set RECONCILE_HOME to a new folder"
        )
        raise UsageError(
            f"the database has tables already, and a backup is restored only into an empty one: {advice}"
        )


def _postgres(program: str, url: str, arguments: Sequence[str]) -> None:
    """Run a program of Postgres on a database. The password goes by the environment, which other users cannot read."""
    parsed = make_url(url)
    _, connect = parsed.get_dialect()().create_connect_args(parsed)
    known: dict[str, Any] = {
        name: value for name, value in connect.items() if name not in ("context", "password")
    }
    password = connect.get("password")
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    ended = subprocess.run(
        [
            str(find_programs() / program),
            "--no-owner",
            "--no-privileges",
            "--no-password",
            f"--dbname={make_conninfo(**known)}",
            *arguments,
        ],
        env=environment | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if ended.returncode:
        raise ReconcileError(f"{program}: {last_words(ended.stderr)}")
