"""Ledgers from a database: the result of a profile's query, streamed.

No error message holds the URL, because the URL may hold a password.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from reconcile.core.errors import InputRefused, UsageError
from reconcile.core.wording import MASK
from reconcile.ledger.formats.parquet import cell_of
from reconcile.ledger.profile import Profile
from reconcile.ledger.table import Record

_ROWS = 10_000
"""Rows in memory at once."""


@dataclass(slots=True)
class QueryTable:
    """The result of a query, which runs again each time it is read."""

    profile: Profile
    url: URL = field(repr=False)
    names: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def kind(self) -> str:
        """The kind of the database."""
        return f"query of a {self.url.get_backend_name()} database"

    def records(self) -> Iterator[Record]:
        """Every row, counted from 1. Sets `sha256` after the last one."""
        digest = hashlib.sha256(repr(self.names).encode())
        with _connected(self.profile, self.url) as connection:
            result = connection.exec_driver_sql(self.profile.query or "")
            for number, row in enumerate(result, 1):
                cells = [cell_of(value) for value in row]
                digest.update(repr(cells).encode("utf-8", "backslashreplace"))
                yield number, cells
        self.sha256 = digest.hexdigest()

    def read_names(self) -> None:
        """Run the query and keep the names of its columns."""
        with _connected(self.profile, self.url) as connection:
            result = connection.exec_driver_sql(self.profile.query or "")
            if not result.returns_rows:
                raise InputRefused(
                    f"[ledger.{self.profile.name}]: the query returns no rows: it must be a select"
                )
            self.names = tuple(result.keys())


def open_query(profile: Profile) -> QueryTable:
    """Connect once, and read the names of the columns.

    Raises UsageError if the URL is missing or wrong, InputRefused if the database or the query fails.
    """
    table = QueryTable(profile, _url(profile))
    table.read_names()
    return table


def _url(profile: Profile) -> URL:
    where = f"[ledger.{profile.name}]"
    text = profile.url
    if profile.url_file is not None:
        try:
            text = Path(profile.url_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{where} url_file: {profile.url_file} cannot be read: {reason}") from None
    elif profile.url_env is not None:
        text = os.environ.get(profile.url_env)
        if not text:
            raise UsageError(f"{where} url_env: the environment variable {profile.url_env} is not set")
    try:
        url = make_url(text or "")
    except (ArgumentError, ValueError):
        # The value is not repeated: it may hold a password.
        raise UsageError(
            f"{where} url: is not a database URL such as postgresql://user@host:5432/database "
            "(write an @, : or / of the password as %40, %3A or %2F)"
        ) from None
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    named = url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:"
    if named and not str(url.database).startswith("file:") and not Path(str(url.database)).is_file():
        # SQLite would make a new, empty database.
        raise UsageError(f"{where} url: there is no SQLite file {url.database}")
    return url


@contextmanager
def _connected(profile: Profile, url: URL) -> Iterator[Connection]:
    where = f"[ledger.{profile.name}]"
    try:
        engine = create_engine(url, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{where} url: needs the Python package {error.name}: install it beside reconcile"
        ) from None
    except (SQLAlchemyError, ValueError, TypeError) as error:
        raise UsageError(f"{where} url: {_safe(error, url)}") from None
    try:
        options = {"stream_results": True, "max_row_buffer": _ROWS, "no_parameters": True}
        if url.get_backend_name() == "postgresql":
            options["postgresql_readonly"] = True
        # Nothing is committed, so no query can change the database.
        with engine.connect().execution_options(**options) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise InputRefused(f"{where}: the query cannot be read: {_safe(error, url)}") from None
    finally:
        engine.dispose()


def _safe(error: Exception, url: URL) -> str:
    """The driver's message in one line, without any secret of the URL."""
    text = str(error.orig) if isinstance(error, DBAPIError) and error.orig is not None else str(error)
    values = [url.password or ""]
    for value in url.query.values():
        values += [value] if isinstance(value, str) else value
    for secret in values:
        for written in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
            if len(written) > 2:
                text = text.replace(written, MASK)
    return " ".join(text.replace(url.render_as_string(hide_password=False), MASK).split())[:300]
