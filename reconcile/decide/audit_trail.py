"""The audit trail of decisions: appends to it, and checks whether anybody changed it.

The database numbers, stamps and chains the records, and refuses every change of them (in
sql/migrations/0001_tables.sql). Here Python computes the chain again, so that disabled triggers or replaced
functions of the database cannot hide a change.
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
class DecisionSource:
    """Who made decisions, and in which file."""

    by: str
    file: str
    """The base name only."""
    sha256: str
    """SHA-256 of the file's bytes, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One record to append; the fields are columns of the table `decisions`."""

    discrepancy_id: str
    app_id: str
    type: str
    facts: str
    decision: str | None  # None: only a note
    records: Sequence[Mapping[str, str]] | None  # of a match: all its records
    note: str | None
    assignee: str | None = None  # "": nobody any more
    due: str | None = None  # YYYY-MM-DD; "": no day any more
    proposed: bool = False  # it counts only when another person takes the same decision
    confirms: int | None = None  # the decision of another person that this one repeats


def lock(connection: Connection) -> None:
    """Lock the audit trail against other writers until this transaction ends."""
    connection.execute(text("select from decision_head for update"))


def append(connection: Connection, decisions: Sequence[Decision], source: DecisionSource) -> None:
    """Append records, in this order, in the caller's transaction."""
    if not decisions:
        return
    origin = {"by_name": source.by, "os_user": os_user(), "file": source.file, "file_sha256": source.sha256}
    connection.execute(
        text(read_sql("decide/append")),
        [
            {
                **origin,
                "discrepancy_id": decision.discrepancy_id,
                "app_id": decision.app_id,
                "type": decision.type,
                "facts": decision.facts,
                "decision": decision.decision,
                "records": None if decision.records is None else json.dumps(decision.records),
                "note": decision.note,
                "assignee": decision.assignee,
                "due": decision.due,
                "proposed": decision.proposed or None,
                "confirms": decision.confirms,
            }
            for decision in decisions
        ],
    )


def add_file(connection: Connection, source: DecisionSource) -> None:
    """Store that a file was used, in the caller's transaction, even if it had nothing new."""
    connection.execute(
        text("insert into decision_files (sha256, file, by_name) values (:sha256, :file, :by)"),
        asdict(source),
    )


def last_record(connection: Connection) -> dict[str, Any]:
    """The number of records and the hash of the last one. run.json keeps them as a witness outside the database."""
    return dict(connection.execute(text("select records, hash from decision_head")).mappings().one())


def verify(connection: Connection) -> int:
    """Compute the whole chain again; returns the number of records.

    Raises CheckFailed that names the first record that was changed, is missing, or is not the one that a run saw. It
    does not find a change by somebody who may alter the tables, if they write the whole chain again from there on and
    also change the run table and every run.json.
    """
    disabled = connection.execute(text(read_sql("decide/disabled_triggers"))).scalars().all()
    if disabled:
        raise CheckFailed(
            f"the database no longer protects the audit trail: {', '.join(disabled)}; "
            "find out who did that, then restore the database from a backup"
        )
    witnesses = {
        row.records: row
        for row in connection.execute(text(read_sql("decide/history_in_reports")))
        if row.records
    }
    count, previous = 0, ""
    rows = connection.execute(
        text(read_sql("decide/chain")), execution_options={"yield_per": _ROWS_AT_A_TIME}
    )
    for row in rows:
        count += 1
        if row.decision_id != count:
            raise _tampered(f"record {count} is missing")
        what = (
            f"record {count} ({row.decision or 'note'} on {row.discrepancy_id} by {row.by_name}, "
            f"{row.decided_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
        )
        if row.previous_hash != previous:
            raise _tampered(f"{what} does not follow from the record before it")
        if row.hash != _hash(row):
            raise _tampered(f"{what} is not what was written")
        witness = witnesses.pop(count, None)
        if witness is not None and witness.hash != row.hash:
            raise _tampered(f"{what} is not the one that run {witness.run_id} saw")
        previous = row.hash
    stored = last_record(connection)
    most = max([stored["records"], *witnesses])
    if most > count:
        raise _tampered(f"record {count + 1} is missing, and there were {most}")
    if (stored["records"], stored["hash"]) != (count, previous):
        raise _tampered("the stored end of the chain is not its last record")
    return count


def _tampered(what: str) -> CheckFailed:
    return CheckFailed(
        f"the decisions were tampered with: {what}; find out who did that, then restore the database from a backup"
    )


def _hash(row: Any) -> str:
    """The hash of a record: SHA-256 of a JSON array of texts, as the database's trigger computes it."""
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
    for name in (
        "assignee",
        "due",
        "proposed",
        "confirms",
    ):  # only where it is given: older records have none
        if (value := getattr(row, name)) is not None:
            content += [name, "true" if value is True else str(value)]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def os_user() -> str:
    """The account of this process; its number if it has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
