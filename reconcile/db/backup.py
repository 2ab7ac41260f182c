"""A copy of the database in one file, and the database from such a file: Postgres' own pg_dump and pg_restore do it."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL, text

from reconcile.core.errors import InputRefused, ReconcileError, UsageError
from reconcile.db import SCHEMA
from reconcile.db.embedded.cluster import find_programs, last_words
from reconcile.db.engine import errors_explained, open_database, open_store
from reconcile.db.migrations import check_database, make_schema
from reconcile.settings import Settings

_BEGINNING = b"PGDMP"
"""Of every file that pg_dump writes in its custom format."""


def backup(settings: Settings, path: Path) -> int:
    """Write all tables, as they are at one moment, into a new file; gives its size in bytes.

    Runs may go on meanwhile. Raises UsageError if the file exists or cannot be written, ReconcileError if pg_dump
    fails; then there is no file.
    """
    if path.exists():
        raise UsageError(f"{path} exists: name a new file")
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.unlink(missing_ok=True)
        # Nobody else may read it: it holds every record.
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with open_store(settings) as engine:
            _postgres("pg_dump", engine.url, ["--format=custom", f"--schema={SCHEMA}", f"--file={aside}"])
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path.stat().st_size


def restore(settings: Settings, path: Path) -> None:
    """Fill an empty database from the file of a backup, all or nothing, and bring its tables up to date.

    Raises UsageError if the database is not empty or cannot be used, InputRefused if the file is no backup.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if beginning != _BEGINNING:
        raise InputRefused(f"{path}: is no backup that `reconcile backup` wrote")
    with open_database(settings) as engine:
        with errors_explained(engine, settings), engine.begin() as connection:
            check_database(connection)
            # pg_restore would insist on making it, which an administrator may have done for the role.
            make_schema(connection)
            tables = connection.scalar(
                text("select count(*) from pg_tables where schemaname = :schema"), {"schema": SCHEMA}
            )
        if tables:
            advice = (
                "name an empty one in RECONCILE_DATABASE_URL"
                if settings.database_url
                else "set RECONCILE_HOME to a new folder"
            )
            raise UsageError(
                f"the database has tables already, and a backup is restored only into an empty one: {advice}"
            )
        _postgres("pg_restore", engine.url, ["--single-transaction", f"--schema={SCHEMA}", str(path)])
    with open_store(settings):
        pass  # migrations that the backup lacks are applied


def _postgres(program: str, url: URL, arguments: Sequence[str]) -> None:
    """Run a program of Postgres on a database.

    How to connect stands in a file that only we can read: other users see the words of every command.
    """
    _, connect = url.get_dialect()().create_connect_args(url)
    known = {name: str(value) for name, value in connect.items() if name != "context" and value is not None}
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="reconcile-", suffix=".conf") as service:
        service.write("[reconcile]\n" + "".join(f"{name}={value}\n" for name, value in known.items()))
        service.flush()
        ended = subprocess.run(
            [
                str(find_programs() / program),
                "--no-owner",
                "--no-privileges",
                "--no-password",
                "--dbname=service=reconcile",
                *arguments,
            ],
            env=os.environ | {"PGSERVICEFILE": service.name, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    if ended.returncode:
        raise ReconcileError(f"{program}: {last_words(ended.stderr)}")
