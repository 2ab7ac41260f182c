"""matched.csv is written while other files are drawn: who fails or is interrupted meanwhile does not wait for it."""

from pathlib import Path
from time import monotonic, sleep

import pytest
from psycopg.errors import DivisionByZero
from sqlalchemy import Connection, Engine, text

from reconcile.core.dialect import Dialect
from reconcile.core.money import Currencies
from reconcile.db.sql_files import read_sql
from reconcile.report import matched_csv
from reconcile.report.matched_csv import writing_matched

SECONDS = 60
SLEEPS = "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')"


def says(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """Let this be the query of matched.csv."""
    monkeypatch.setattr(
        matched_csv, "read_sql", lambda name: query if name == "report/matched" else read_sql(name)
    )


def fail_during_it(other: Connection, error: type[BaseException]) -> None:
    """Raise this once the query works."""
    until = monotonic() + SECONDS / 2
    while not other.scalar(text(SLEEPS)):
        assert monotonic() < until
        sleep(0.05)
        other.rollback()
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_what_fails_beside_it_ends_it(
    fresh_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    says(monkeypatch, f"select pg_sleep({SECONDS})")
    began = monotonic()
    with fresh_engine.connect() as connection, fresh_engine.connect() as other:
        connection.execute(text("select 1"))  # as in a run, a transaction has begun
        with (
            pytest.raises(error),
            writing_matched(connection, Currencies(), tmp_path / "matched.csv", Dialect.COMMA),
        ):
            fail_during_it(other, error)
        connection.rollback()
        assert connection.scalar(text("select 1")) == 1  # nobody else is at work on it
    assert monotonic() - began < SECONDS / 2


@pytest.mark.parametrize("waits", [True, False])
def test_its_error_is_raised_where_it_is_waited_for(
    fresh_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    says(monkeypatch, "select 1 / (select 0)")
    path = tmp_path / "matched.csv"
    with (
        fresh_engine.connect() as connection,
        pytest.raises(DivisionByZero),
        writing_matched(connection, Currencies(), path, Dialect.COMMA) as wait,
    ):
        (wait if waits else str)()


def test_it_is_whole_when_the_block_ends(
    fresh_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(
        monkeypatch,
        "select 'M-A', 'reference', 'T1', 'L1', 'INR', 1, 1, 0, null, null, null from (select pg_sleep(0.2)) as later",
    )
    path = tmp_path / "matched.csv"
    with (
        fresh_engine.connect() as connection,
        writing_matched(connection, Currencies(), path, Dialect.COMMA),
    ):
        pass
    assert path.read_text("utf-8-sig").splitlines()[1:] == ["M-A,reference,T1,L1,INR,1,1,0,,,"]
