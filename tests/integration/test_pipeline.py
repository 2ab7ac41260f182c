"""The days of a period are read while it is matched: as the matching sees them, and nobody is held up by it."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.context import RunContext
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.match.policy import state_policy
from reconcile.pipeline import begin_to_read_period
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import PeriodFacts, read_period
from reconcile.validate.validator import Validator
from tests.oracle import T
from tests.support.arrivals import arrive

APP = "ap_1"
FIRST = datetime(2026, 8, 1, 6, 30, tzinfo=UTC)  # noon in India


@pytest.fixture
def run(fresh_engine: Engine) -> RunContext:
    settings = Settings()
    return RunContext(
        settings,
        fresh_engine,
        (APP,),
        Validator(settings.currencies),
        silent,
        run_id="2026-08-12_2026-08-12_1",
        apps=(),
        period=Period(date(2026, 8, 12), date(2026, 8, 12)),
    )


def pay(engine: Engine) -> None:
    """A hundred payments a day on eleven days, and nineteen on the twelfth."""
    paid = [
        T(f"tx_{at:%d}_{n}", APP, f"R{at:%d}-{n}", "INR", Decimal(100), "paid", at)
        for at in (FIRST + timedelta(days=back) for back in range(12))
        for n in range(19 if at.day == 12 else 100)
    ]
    with engine.begin() as connection:
        arrive(connection, paid, (), (APP,), datetime(2026, 9, 1, tzinfo=UTC))


@contextmanager
def view(run: RunContext) -> Iterator[Connection]:
    with run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("select count(*) from transactions"))  # from here on its view does not change
        state_policy(connection, run.settings, run.app_ids)
        yield connection


def days(facts: PeriodFacts) -> Mapping[date, int]:
    return facts.records.get(("kspay", APP), {})


def wait_for_the_second_connection() -> None:
    """Seconds are enough; without a limit for locks it would wait for good."""
    for thread in threading.enumerate():
        if thread.name == "read period":
            thread.join(60)
            assert not thread.is_alive()


def test_it_sees_what_the_matching_sees(run: RunContext) -> None:
    with view(run) as connection:
        pay(run.engine)
        facts = begin_to_read_period(run, connection)
        wait_for_the_second_connection()
        connection.close()  # what is known now is known from the second connection
        assert days(facts()) == {}
    with view(run) as connection:
        found = begin_to_read_period(run, connection)()
        assert days(found) == {FIRST.date() + timedelta(days=n): 100 if n < 11 else 19 for n in range(12)}
        assert found == read_period(connection, run.period)


def test_who_waits_for_the_matching_holds_nothing_up(run: RunContext) -> None:
    """As `vacuum full`: it waits for the matching, and the second connection waits for it."""
    waits = text(
        "select exists (select from pg_locks where not granted and relation = 'reconcile.entries'::regclass)"
    )
    with ThreadPoolExecutor() as others, run.engine.connect() as other, view(run) as connection:
        try:
            before = read_period(connection, run.period)
            waiting = others.submit(other.execute, text("lock table entries in access exclusive mode"))
            while not connection.execute(waits).scalar_one():
                assert not waiting.done()
                time.sleep(0.01)
            facts = begin_to_read_period(run, connection)
            wait_for_the_second_connection()
            assert facts() == before
        finally:
            connection.rollback()
            waiting.result(60)
