"""The audit trail of decisions: adds to it, and finds out whether anybody changed it.

The database counts, stamps and chains the records and refuses every change of them (in
sql/migrations/0001_schema.sql). Here the chain is worked out again in Python, so that neither disabled triggers nor
replaced functions of the database hide anything.
"""

import hashlib
import json
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, text

from reconcile.core.errors import CheckFailed
from reconcile.db.sql_files import read_sql

_ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True, slots=True)
class Source:
    """Where decisions come from: who wrote them, and in which file."""

    by: str
    file: str
    """The base name only."""
    sha256: str
    """Of the file's bytes, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One record to be added; as the columns of the table `decisions`."""

    discrepancy_id: str
    app_id: str
    type: str
    facts: str
    decision: str | None  # None: only a note
    records: Sequence[Mapping[str, str]] | None  # of a match: all that it joins
    note: str | None


def take_turns(connection: Connection) -> None:
    """Let nobody else add records until this transaction ends."""
    connection.execute(text("select from decision_head for update"))


def append(connection: Connection, decisions: Sequence[Decision], source: Source) -> None:
    """Add records, in their order, in the caller's transaction."""
    if not decisions:
        return
    origin = {"by_name": source.by, "os_user": _os_user(), "file": source.file, "file_sha256": source.sha256}
    connection.execute(
        text(read_sql("decide/append")),
        [
            {
                **origin,
                "discrepancy_id": one.discrepancy_id,
                "app_id": one.app_id,
                "type": one.type,
                "facts": one.facts,
                "decision": one.decision,
                "records": None if one.records is None else json.dumps(one.records),
                "note": one.note,
            }
            for one in decisions
        ],
    )


def note_file(connection: Connection, source: Source) -> None:
    """Remember that a file was taken, in the caller's transaction, even if it brought nothing new."""
    connection.execute(
        text("insert into decision_files (sha256, file, by_name) values (:sha256, :file, :by)"),
        asdict(source),
    )


def head(connection: Connection) -> dict[str, Any]:
    """How many records there are and the hash of the last, for run.json: a witness outside the database."""
    return dict(connection.execute(text("select records, hash from decision_head")).mappings().one())


def verify(connection: Connection) -> int:
    """Work out the whole chain again and count its records.

    Raises CheckFailed naming the first record that does not fit: changed, missing, or not the one
    that a run saw. What is not found: a change by somebody who may alter the tables, writes the whole
    chain anew from there on, and also what the run table and every run.json say of it.
    """
    resting = connection.execute(text(read_sql("decide/disabled_triggers"))).scalars().all()
    if resting:
        raise CheckFailed(
            f"the database no longer defends the decisions: {', '.join(resting)}; "
            "find out who did that, then restore the database from a backup"
        )
    witnesses = {
        row.records: row
        for row in connection.execute(text(read_sql("decide/trail_in_reports")))
        if row.records
    }
    count, previous = 0, ""
    rows = connection.execute(
        text(read_sql("decide/chain")), execution_options={"yield_per": _ROWS_AT_A_TIME}
    )
    for row in rows:
        count += 1
        if row.decision_id != count:
            raise _broken(f"record {count} is missing")
        what = (
            f"record {count} ({row.decision or 'note'} on {row.discrepancy_id} by {row.by_name}, "
            f"{row.decided_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
        )
        if row.previous_hash != previous:
            raise _broken(f"{what} does not follow from the record before it")
        if row.hash != _hash(row):
            raise _broken(f"{what} is not what was written")
        witness = witnesses.pop(count, None)
        if witness is not None and witness.hash != row.hash:
            raise _broken(f"{what} is not the one that run {witness.run_id} saw")
        previous = row.hash
    kept = head(connection)
    most = max([kept["records"], *witnesses])
    if most > count:
        raise _broken(f"record {count + 1} is missing, and there were {most}")
    if (kept["records"], kept["hash"]) != (count, previous):
        raise _broken("the head of the chain is not that of its last record")
    return count


def _broken(what: str) -> CheckFailed:
    return CheckFailed(
        f"the decisions were tampered with: {what}; find out who did that, then restore the database from a backup"
    )


def _hash(row: Any) -> str:
    """As the database's trigger works it out: the SHA-256 of a JSON array of texts."""
    content = [
        str(row.decision_id),
        row.discrepancy_id,
        row.app_id,
        row.type,
        row.facts,
        row.decision,
        row.records,
        row.note,
        row.by_name,
        row.os_user,
        row.db_user,
        row.decided_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        row.file,
        row.file_sha256,
        row.previous_hash,
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def _os_user() -> str:
    """The account that this process runs under; by number where it has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
