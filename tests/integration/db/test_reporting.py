"""The roles of deploy/roles.sql, and the views that the reader of them may read, and nothing else."""

import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.embedded.cluster import find_programs
from reconcile.db.engine import open_store
from reconcile.db.partition import partition
from reconcile.settings import Settings

ROLES = Path(__file__).parents[3] / "deploy" / "roles.sql"
OPEN = [
    {"app_id": "ap_1", "severity": "high", "currency": "INR", "count": 2, "amount": "12345678901234567.89"}
]
TOTALS = [
    {"scope": "period", "side": "kspay", "currency": "INR", "outcome": "total", "count": 3, "amount": "9.00"}
]


def report(new: int) -> dict[str, Any]:
    return {"open": OPEN, "totals": TOTALS, "discrepancies": {"DATE_MISMATCH": 2}, "new": new, "cleared": 1}


def test_the_runner_works_and_the_reader_reads_the_views(make_empty_database: Callable[[], str]) -> None:
    url = make_url(make_empty_database())
    psql = [str(find_programs() / "psql"), "--no-psqlrc", "--quiet", "--file", str(ROLES)]
    # Not on the command line, where others could read them.
    passwords = {"RUNNER_PASSWORD": "run", "READER_PASSWORD": "read"}
    place = {"PGHOST": url.query["host"], "PGUSER": url.username, "PGPASSWORD": url.password}
    # A second database of the server, such as one to restore into, needs no passwords: the roles are there.
    for database, given in ((url.database, passwords), (make_url(make_empty_database()).database, {})):
        environment = {name: str(value) for name, value in {**place, **given, "PGDATABASE": database}.items()}
        done = subprocess.run(
            psql, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    second = url.set(database=database, username="reconcile_runner", password="run")
    with open_store(Settings(database_url=second.render_as_string(hide_password=False))):
        pass

    runner = url.set(username="reconcile_runner", password="run").render_as_string(hide_password=False)
    with open_store(Settings(database_url=runner)) as engine:
        for first, last, new in ((1, 31, 5), (1, 15, 7)):
            period = Period(date(2026, 8, first), date(2026, 8, last))
            run_id = runs.start(engine, "run", ("ap_1",), period, None)
            with engine.begin() as connection:
                runs.finish(connection, run_id, report(new))
        partition(engine, ["ap_1"], months=True)
        with engine.connect() as connection:
            owners = "select distinct tableowner from pg_tables where schemaname = 'reconcile'"
            assert connection.exec_driver_sql(owners).scalars().all() == ["reconcile_owner"]
            # Over a socket they read 0. A machine that vanished must not hold the lock of an app for hours.
            settings = "select unnest(rolconfig) from pg_roles where rolname = 'reconcile_runner'"
            assert "tcp_keepalives_idle=60" in connection.exec_driver_sql(settings).scalars().all()

    # The role of the owner stays in a connection that is used again, so that what is made later is the owner's too.
    with open_store(Settings(database_url=runner)) as engine:
        for _ in range(2):
            with engine.connect() as connection:
                assert connection.exec_driver_sql("select current_user").scalar_one() == "reconcile_owner"
        with engine.begin() as connection:
            connection.exec_driver_sql("create table made_later ()")
    with open_store(Settings(database_url=runner)) as engine, engine.begin() as connection:
        assert connection.exec_driver_sql(owners).scalars().all() == ["reconcile_owner"]
        connection.exec_driver_sql("drop table made_later")

    reader = create_engine(url.set(username="reconcile_reader", password="read"), poolclass=NullPool)
    with reader.connect() as connection:

        def rows(statement: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

        # A run as of an earlier day that came later is not the latest.
        assert rows("select run_id, new, latest from reporting_runs order by new") == [
            ("2026-08-01_2026-08-31_1", 5, True),
            ("2026-08-01_2026-08-15_1", 7, False),
        ]
        [(amount,)] = rows(
            "select amount from reporting_open inner join reporting_runs using (run_id) where latest"
        )
        assert str(amount) == OPEN[0]["amount"]
        assert rows("select distinct type, count from reporting_types") == [("DATE_MISMATCH", 2)]
        assert rows("select distinct outcome, count from reporting_totals") == [("total", 3)]
        assert rows("select * from reporting_discrepancies") == []
        for refused in (
            "select * from runs",
            "select * from transactions",
            "delete from reporting_discrepancies",
            "set default_transaction_read_only = off; delete from reporting_discrepancies",
            "create table reconcile.mine ()",
        ):
            connection.rollback()
            with pytest.raises(DBAPIError, match=r"permission denied|read-only"):
                connection.exec_driver_sql(refused)
