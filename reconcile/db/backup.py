"""A copy of the database in one file, and the database from such a file: Postgres' own pg_dump and pg_restore do it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, text

from reconcile.core.errors import DiskFull, InputRefused, ReconcileError, UsageError
from reconcile.core.writing import tells_of_full_disk, writing
from reconcile.db import SCHEMA
from reconcile.db.embedded.cluster import find_programs, last_words
from reconcile.db.engine import errors_explained, open_database, open_store
from reconcile.db.migrations import check_database, make_schema
from reconcile.settings import Settings

_BEGINNING = b"PGDMP"
"""Of every file that pg_dump writes in its custom format."""

_WITHOUT_ROLES = ("--no-owner", "--no-privileges")
_SERVICE = "--dbname=service=reconcile"
_ONLY_NEWER = b"SET transaction_timeout = 0;\n"


def backup(settings: Settings, path: Path) -> int:
    """Write all tables, as they are at one moment, into a new file; gives its size in bytes.

    Runs may go on meanwhile. Raises UsageError if the file exists or cannot be written, DiskFull if it has no room,
    ReconcileError if pg_dump fails; then there is no file.
    """
    if path.exists():
        raise UsageError(f"{path} exists: name a new file")
    aside = path.with_name(f".{path.name}.writing")
    with writing(path):
        aside.unlink(missing_ok=True)
        # Nobody else may read it: it holds every record.
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with open_store(settings) as engine:
            with _service(engine.url) as environment:
                ended = subprocess.run(
                    [
                        _program("pg_dump"),
                        *_WITHOUT_ROLES,
                        "--no-password",
                        _SERVICE,
                        "--format=custom",
                        f"--schema={SCHEMA}",
                        f"--file={aside}",
                    ],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                )
            if ended.returncode:
                raise _failure(path, ended.stderr)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path.stat().st_size


def restore(settings: Settings, path: Path) -> None:
    """Fill an empty database from the file of a backup, all or nothing, and bring its tables up to date.

    Raises UsageError if the database is not empty or cannot be used, InputRefused if the file is no backup or was cut
    off, DiskFull if the database has no room.
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
        _fill(engine.url, path)
    with open_store(settings):
        pass  # migrations that the backup lacks are applied


def _fill(url: URL, path: Path) -> None:
    """Run what pg_restore makes of the file in one transaction. By itself it would set what only servers like its own
    know, and one before 17 would refuse that."""
    with _service(url) as environment, tempfile.TemporaryFile() as said:
        reading = subprocess.Popen(
            [_program("pg_restore"), *_WITHOUT_ROLES, f"--schema={SCHEMA}", "--file=-", str(path)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        filling = subprocess.Popen(
            [
                _program("psql"),
                "--no-psqlrc",
                "--quiet",
                "--no-password",
                "--single-transaction",
                "--set=ON_ERROR_STOP=1",
                _SERVICE,
            ],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert reading.stdout is not None
        assert filling.stdin is not None
        try:
            try:
                for line in reading.stdout:
                    if line == _ONLY_NEWER:
                        break
                    filling.stdin.write(line)
                shutil.copyfileobj(reading.stdout, filling.stdin)
                cut_short = reading.wait() != 0
            except BrokenPipeError:
                cut_short = False  # it was psql that ended, and says why
            if cut_short:
                filling.kill()  # before the end of its input, which commits
                said.seek(0)
                raise InputRefused(
                    f"{path}: is cut off or damaged, or of a newer PostgreSQL ({last_words(said.read())}): copy it "
                    "again, or take an earlier backup; nothing was restored"
                )
            _, wrong = filling.communicate()
        finally:
            for process in (reading, filling):
                process.kill()
                process.wait()
    if filling.returncode:
        raise _failure("the database", wrong)


def _failure(what: object, said: bytes) -> ReconcileError:
    """What is to be reported of a program of Postgres that failed; what it says begins with its name."""
    words = last_words(said)
    if tells_of_full_disk(words):
        return DiskFull(f"{what}: {words}: free space and start again")
    return ReconcileError(f"{what}: {words}")


def _program(name: str) -> str:
    return str(find_programs() / name)


@contextmanager
def _service(url: URL) -> Iterator[dict[str, str]]:
    """The environment in which programs of Postgres find the database as `_SERVICE`.

    How to connect stands in a file that only we can read: other users see the words of every command.
    """
    _, connect = url.get_dialect()().create_connect_args(url)
    known = {name: str(value) for name, value in connect.items() if name != "context" and value is not None}
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="reconcile-", suffix=".conf") as service:
        service.write("[reconcile]\n" + "".join(f"{name}={value}\n" for name, value in known.items()))
        service.flush()
        yield os.environ | {"PGSERVICEFILE": service.name, "LC_ALL": "C"}
