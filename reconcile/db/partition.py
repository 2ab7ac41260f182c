"""Divides the large tables by app, in a database that holds several apps or is to be spread over several disks."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, text

from reconcile.db.locks import app_locks
from reconcile.db.sql_files import read_sql, run_file

TABLES = {"transactions": False, "entries": False, "transaction_versions": True, "entry_versions": True}
"""What is divided by app, and whether by month too."""


def partition(engine: Engine, app_ids: Sequence[str]) -> Mapping[str, int]:
    """Divide the tables, or add the partitions that are lacking; gives by table the rows that were moved.

    `app_ids` are further apps, beside those that the database knows. All in one transaction. Raises Busy while a run is
    at work.
    """
    with engine.connect() as connection:
        known = connection.execute(text(read_sql("load/apps_with_states"))).scalars().all()
    apps = sorted({*known, *app_ids})
    with app_locks(engine, apps, wait=False), engine.begin() as connection:
        run_file(connection, "db/partition")
        return {
            table: connection.execute(
                text("select pg_temp.partition(:table, :apps, :by_month)"),
                {"table": table, "apps": apps, "by_month": by_month},
            ).scalar_one()
            for table, by_month in TABLES.items()
        }
