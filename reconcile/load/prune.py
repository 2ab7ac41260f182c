"""Removes old states of records that nothing needs any more. Runs, decisions and every present record stay."""

from collections.abc import Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import UsageError
from reconcile.core.records import Side
from reconcile.db.locks import app_locks
from reconcile.db.sql_files import read_sql
from reconcile.load.staging_tables import take_turns


def prune(engine: Engine, timezone: ZoneInfo, before: date, *, dry_run: bool) -> Mapping[str, int]:
    """Remove what was replaced before this business day, in one transaction; gives the rows of each table.

    No later report changes. Raises Busy while a run is at work, UsageError for a day in the future.
    """
    today = datetime.now(timezone).date()
    if before > today:
        raise UsageError(f"--before {before} lies in the future: today is {today} in {timezone.key}")
    with engine.connect() as connection:
        app_ids = connection.execute(text(read_sql("load/apps_with_states"))).scalars().all()
        sources = (
            connection.execute(text("select distinct source from imports order by source")).scalars().all()
        )
    with app_locks(engine, app_ids, wait=False), engine.begin() as connection:
        for source in sources:
            take_turns(connection, Side.LEDGER, source)
        values = {"before": datetime.combine(before, time(), timezone)}
        gone = dict(connection.execute(text(read_sql("load/prune")), values).mappings().one())
        if dry_run:
            connection.rollback()
    return gone


def pruned_before(connection: Connection) -> datetime | None:
    """Up to when old states were removed; None if never."""
    found: datetime | None = connection.scalar(text("select max(before_at) from prunings"))
    return found
