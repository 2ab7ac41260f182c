"""Rows into a table, and out of a query, by COPY: a million take seconds. psycopg 3 does it on the connection of
SQLAlchemy."""

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from reconcile.db.sql_files import read_sql

_CANCEL_SECONDS = 5
"""How long a server is asked to end a statement."""


def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """COPY rows into a table; returns how many they were."""
    driver = _driver(connection)
    known: dict[tuple[str, ...], list[str]] = connection.info.setdefault("column types", {})
    types = known.get((table, *columns))
    if types is None:  # asked once per connection: a load copies thousands of blocks into one table
        types = known[table, *columns] = _column_types(connection, table, columns)
    count = 0
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def cancel(connection: Connection) -> None:
    """End the statement that another thread waits for on this connection; there it raises an error."""
    # A server that does not answer cannot be told; `cut` is for that.
    with suppress(psycopg.Error):
        _connected(connection).cancel_safe(timeout=_CANCEL_SECONDS)


def cut(connection: Connection) -> None:
    """End the network connection, whatever the server does: who waits for an answer gets an error."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(_connected(connection).fileno())) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)


def _connected(connection: Connection) -> Any:
    """Unlike `_driver`, it may be asked by another thread than the one that works."""
    return connection.connection.driver_connection


def _driver(connection: Connection) -> Any:
    # COPY belongs to the connection's transaction. SQLAlchemy must know that it has begun, or its commit does nothing.
    if not connection.in_transaction():
        connection.begin()
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver


def _column_types(connection: Connection, table: str, columns: Sequence[str]) -> list[str]:
    rows = connection.execute(text(read_sql("db/column_types")), {"table": table})
    types = {row.name: row.type for row in rows}
    return [types[column] for column in columns]


def copy_lines(connection: Connection, table: str, columns: Sequence[str], lines: bytes | memoryview) -> None:
    """COPY rows that are lines of COPY's text format already."""
    driver = _driver(connection)
    with driver.cursor() as cursor, cursor.copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        copy.write(lines)


def copied_lines(connection: Connection, query: str) -> Iterator[bytes]:
    """The rows of a query in COPY's text format, UTF-8, NULL as nothing; in parts that may end within a line."""
    with (
        _driver(connection).cursor() as cursor,
        cursor.copy(f"copy ({query}) to stdout with (null '', encoding 'UTF8')") as copy,
    ):
        yield from copy
