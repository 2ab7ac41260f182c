"""Migrations: applied once, whoever starts at the same time, and never on a database that is not ours to change."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from reconcile.errors import ReconcileError
from reconcile.settings import Settings
from reconcile.store import open_store, sql_names

OPEN = """
import sys
from reconcile.settings import Settings
from reconcile.store import open_store
print("ready", flush=True)
sys.stdin.readline()
with open_store(Settings(database_url=sys.argv[1])):
    pass
"""


def test_processes_that_start_together_apply_each_migration_once(make_database: Callable[[], str]) -> None:
    url = make_database()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with open_store(Settings(database_url=url)) as engine, engine.connect() as connection:
        applied = list(connection.scalars(text("select name from migrations order by name")))
    assert applied == [name.removeprefix("migrations/") for name in sql_names("migrations")]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("insert into reconcile.migrations (name, sha256) values ('9999_later', 'x')", "newer version"),
        (
            "update reconcile.migrations set sha256 = 'x' where name like '0001%'",
            "was changed after it was applied",
        ),
    ],
)
def test_a_database_that_does_not_fit_is_left_alone(
    make_database: Callable[[], str], change: str, complaint: str
) -> None:
    url = make_database()
    with open_store(Settings(database_url=url)):
        pass
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(ReconcileError, match=complaint), open_store(Settings(database_url=url)):
        pass
