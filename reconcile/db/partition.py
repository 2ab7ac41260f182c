"""Divides the large tables by app, or by app and month: for several apps, a long history, or several disks."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Engine, text

from reconcile.core.errors import UsageError
from reconcile.db.locks import app_locks
from reconcile.db.sql_files import read_sql, run_file


class _Table(NamedTuple):
    month_of: str
    """What says the month of a row, in UTC. The entries' one is an index too."""
    key: str | None = None
    """What no two rows may have alike; former states have no such key, and are always divided by month."""


_TABLES = {
    "transactions": _Table("created_at", "transaction_id, app_id"),
    "entries": _Table("coalesce(dated_on, (dated_at at time zone 'UTC')::date)", "ledger_id, source, app_id"),
    "transaction_versions": _Table("replaced_at"),
    "entry_versions": _Table("replaced_at"),
}


def partition(engine: Engine, app_ids: Sequence[str], *, months: bool = False) -> Mapping[str, int]:
    """Divide the tables, or add the partitions that are lacking; gives by table the rows that were moved.

    `app_ids` are further apps, beside those that the database knows. With `months`, records are divided by month too,
    and so they stay. All in one transaction. Raises Busy while a run is at work, and UsageError where a table is to be
    replaced and something would be lost with it: somebody else's view that reads it, row-level security or a trigger.
    """
    with engine.connect() as connection:
        known = connection.execute(text(read_sql("load/apps_with_states"))).scalars().all()
    apps = sorted({*known, *app_ids})
    with app_locks(engine, apps, wait=False), engine.begin() as connection:
        run_file(connection, "db/partition")
        in_the_way = text("select pg_temp.in_the_way(:table, :months)")
        named: list[str] = []
        for name in _TABLES:
            named += connection.scalars(in_the_way, {"table": name, "months": months})
        if named:
            raise UsageError(
                f"partition: {'; '.join(named)}: drop or disable this first, and make it again afterwards"
            )
        return {
            name: connection.execute(
                text("select pg_temp.partition(:table, :apps, :month_of, :key, :months)"),
                {"table": name, "apps": apps, "months": months, **table._asdict()},
            ).scalar_one()
            for name, table in _TABLES.items()
        }
