"""What was imported, and taking a wrong import back.

An entry has states one after another: what an import said of it, or that it is withdrawn. Withdrawing an import
removes the states that stand on it alone; what later imports said stays. Nothing is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, text

from reconcile.core.errors import UsageError
from reconcile.core.records import Side
from reconcile.db.sql_files import read_sql, run_file
from reconcile.load.prune import pruned_before
from reconcile.load.staging_tables import take_turns


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import as it was done."""

    import_id: int
    source: str
    file: str
    imported_at: datetime
    records: int
    added: int
    changed: int
    quarantined: int
    withdrawn: int  # entries that a snapshot lacked
    passed_over: int  # rows that are no records
    snapshot: bool
    allowed: Sequence[str]  # expectations that would have blocked it
    withdrawn_at: datetime | None  # when the import itself was undone


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What withdrawing an import did, in entries."""

    import_id: int
    source: str
    file: str
    withdrawn: int
    returned: int  # to what they said before, or to life
    released: int  # from quarantine
    restored: int  # to quarantine


def any_import(engine: Engine) -> bool:
    """Whether a ledger was ever imported."""
    with engine.connect() as connection:
        return bool(connection.scalar(text("select exists (select from imports)")))


def listed(engine: Engine, limit: int) -> Sequence[ImportRecord]:
    """The newest imports first."""
    with engine.connect() as connection:
        rows = connection.execute(text(read_sql("load/imports")), {"limit": limit})
        return [ImportRecord(**row) for row in rows.mappings()]


def withdraw(engine: Engine, import_id: int) -> Withdrawn:
    """Undo an import as if it had never been; the next run matches what it touched.

    Raises UsageError if there is no such import, or if it was withdrawn before, or is older than what was pruned.
    """
    with engine.begin() as connection:
        find = text("select source, file, imported_at, withdrawn_at from imports where import_id = :id")
        found = connection.execute(find, {"id": import_id}).one_or_none()
        if found is None:
            raise UsageError(
                f"no import {import_id} is known here: reconcile ledger list lists those that are"
            )
        take_turns(connection, Side.LEDGER, found.source)
        found = connection.execute(find, {"id": import_id}).one()
        if found.withdrawn_at is not None:
            raise UsageError(
                f"import {import_id} was withdrawn on {found.withdrawn_at:%Y-%m-%d %H:%M} UTC already"
            )
        if (pruned := pruned_before(connection)) is not None and found.imported_at < pruned:
            raise UsageError(
                f"import {import_id} is older than {pruned:%Y-%m-%d %H:%M} UTC, before which prune removed what "
                "entries said: it can no longer be withdrawn; import a corrected file"
            )
        run_file(connection, "load/begin_withdrawal")
        connection.execute(text("insert into this_import values (:id)"), {"id": import_id})
        connection.execute(
            text(read_sql("load/number_withdrawal")),
            {"import_id": import_id, "file": f"the withdrawal of import {import_id}"},
        )
        run_file(connection, "load/withdraw_import")
        row = connection.execute(text(read_sql("load/undone"))).one()
        return Withdrawn(
            import_id, found.source, found.file, row.withdrawn, row.returned, row.released, row.restored
        )


def quarantined(engine: Engine, limit: int) -> tuple[int, Sequence[Row[Any]]]:
    """How many records are in quarantine, and those that are there for longest."""
    with engine.connect() as connection:
        count = connection.execute(text("select count(*) from quarantine")).scalar_one()
        rows = connection.execute(text(read_sql("load/quarantined")), {"limit": limit}).all()
    return count, rows
