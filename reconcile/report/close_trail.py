"""Closed months in the audit trail: appends to it, reads it, and checks whether anybody changed it.

The database numbers, stamps and chains the versions as it does the decisions, and refuses every change of them (in
sql/migrations/0001_tables.sql). The bytes of the files are beside them, so that a backup of the database has
everything. Here Python computes the chain again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import CheckFailed
from reconcile.db import SCHEMA
from reconcile.db.sql_files import read_sql
from reconcile.decide.audit_trail import os_user


@dataclass(frozen=True, slots=True)
class Close:
    """One version of a closed month."""

    month: str
    version: int
    by: str
    at: datetime
    content: Mapping[str, Any]
    """What close.json says: the lines, the files with their SHA-256, and what it all rests on."""

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.month} version {self.version}"


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Let those who close at the same time take turns; the database ends it if we die."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(
            text("select pg_advisory_lock(hashtextextended(:key, 0))"), {"key": f"{SCHEMA} closes"}
        )
        yield


def closes(connection: Connection, month: str | None = None) -> list[Close]:
    """All versions that were closed, in their order; those of a month."""
    rows = connection.execute(text(read_sql("report/close/chain")))
    return [
        Close(row.month, row.version, row.by_name, row.closed_at, row.content)
        for row in rows
        if month in (None, row.month)
    ]


def newest(connection: Connection, month: str) -> Close | None:
    """The version of a month that counts; None if it was never closed."""
    return next(reversed(closes(connection, month)), None)


def append(
    connection: Connection, month: str, by: str, content: Mapping[str, Any], files: Mapping[str, bytes]
) -> None:
    """Append the next version of a month, in the caller's transaction."""
    version = content["version"]
    connection.execute(
        text(read_sql("report/close/append")),
        {
            "month": month,
            "version": version,
            "content": json.dumps(content),
            "by_name": by,
            "os_user": os_user(),
        },
    )
    connection.execute(
        text(
            "insert into closed_files (month, version, name, bytes) values (:month, :version, :name, :bytes)"
        ),
        [
            {"month": month, "version": version, "name": name, "bytes": held}
            for name, held in sorted(files.items())
        ],
    )


def files_of(connection: Connection, close: Close) -> dict[str, bytes]:
    """The files of a version, as they were closed."""
    asked = {"month": close.month, "version": close.version}
    rows = connection.execute(text(read_sql("report/close/files")), asked)
    return {row.name: bytes(row.bytes) for row in rows}


def verify(connection: Connection) -> int:
    """Compute the whole chain again and check every file; returns the number of versions.

    Raises CheckFailed that names the first version that was changed or is missing.
    """
    held: dict[tuple[str, int], dict[str, str]] = {}
    for row in connection.execute(
        text(read_sql("report/close/files")),
        {"month": None, "version": None},
        execution_options={"yield_per": 20},
    ):
        digest = hashlib.sha256(row.bytes).hexdigest()
        held.setdefault((row.month, row.version), {})[row.name] = digest
    count, previous = 0, ""
    versions: dict[str, int] = {}
    for row in connection.execute(text(read_sql("report/close/chain"))).all():
        count += 1
        what = f"{row.month} version {row.version}, closed by {row.by_name}"
        if row.close_id != count:
            raise _tampered(f"the version that was closed before {what} is missing")
        if row.previous_hash != previous or row.hash != _hash(row):
            raise _tampered(f"{what}, is not what was closed")
        versions[row.month] = versions.get(row.month, 0) + 1
        if row.version != versions[row.month]:
            raise _tampered(f"{what}, does not follow version {versions[row.month] - 1}")
        wanted = {name: file["sha256"] for name, file in row.content["files"].items()}
        files = held.get((row.month, row.version), {})
        for name in sorted(wanted.keys() | files.keys()):
            if wanted.get(name) != files.get(name):
                raise _tampered(f"{name} of {what}, is not what was closed")
        _check_decisions(connection, what, row.content["decisions"])
        previous = row.hash
    head = connection.execute(text("select records, hash from close_head")).one()
    if (head.records, head.hash) != (count, previous):
        raise _tampered("the stored end of the chain is not its last version")
    return count


def _check_decisions(connection: Connection, what: str, said: Mapping[str, Any]) -> None:
    """The decisions that a version rests on must still be those: it is a witness of them."""
    if said["records"]:
        found = connection.scalar(
            text("select hash from decisions where decision_id = :number"), {"number": said["records"]}
        )
        if found != said["hash"]:
            raise _tampered(f"the decisions are not those that {what}, rests on")


def _hash(row: Any) -> str:
    """The hash of a version, as the database's trigger computes it."""
    content = [
        str(row.close_id),
        row.month,
        str(row.version),
        row.written,
        row.by_name,
        row.os_user,
        row.db_user,
        row.closed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        row.previous_hash,
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _tampered(what: str) -> CheckFailed:
    return CheckFailed(
        f"the closed months were tampered with: {what}; find out who did that, then restore the database from a backup"
    )
