"""No statement of matching or of the report goes through a whole table once per row, or joins all with all.

Each is explained right before it is executed, on the tables as the loader leaves them: with the statistics that a night
has, or has not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db.engine import open_store
from reconcile.db.partition import partition
from reconcile.db.sql_files import read_sql
from reconcile.load import staging_tables
from reconcile.match.engine import match
from reconcile.report.matched_csv import state_digits
from reconcile.settings import Settings
from tests.support.arrivals import record_run, write_tables
from tests.support.plans import Planning, Tables, nodes, report

APP = "ap_1"
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
RECORDS = 20_000  # a side: more than a load takes for few

TABLES = Tables(
    big=frozenset({"transactions", "transactions_ap_1", "entries", "entries_ap_1", "pairings"}),
    vague=frozenset(
        {"app_id", "source", "side", "kind", "currency", "step", "way", "family", "status", "amount"}
    ),
)


SPREAD = Period(date(2026, 7, 16), date(2026, 8, 15))
"""Of two months, as long as August."""

TRANSACTIONS = """
insert into staged_transactions (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at, file, row_number
)
select
    :app, 'tx_' || i, 'R' || r, 'r' || r, 'INR', 100, 'success', at, at, '', 1
from (
    select
        i,
        case i % 100 when 32 then i - 31 else i end as r,  -- of the same day
        cast(:first as timestamptz) + interval '6 hours' + i % 31 * interval '1 day' as at
    from generate_series(1, :records) as i
    where i % 100 <> 2
    order by hashint4(i)
) as made
"""
ENTRIES = """
insert into staged_entries (
    app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on, file, row_number
)
select
    :app, 'default', 'L' || i || more, 'R' || i, 'r' || i, 'INR', case i % 100 when 4 then 99 else 100 end, 'paid',
    cast(:first as date) + i % 31, '', 1
from generate_series(1, :records) as i
cross join (values (''), ('b')) as copies (more)
where i % 100 not in (32, 3) and (more = '' or i % 100 = 5)
order by hashint4(i)
"""


def load_night(engine: Engine, records: int = RECORDS, days: Period = AUGUST) -> None:
    """Of a hundred, one is twice at KS Pay, one twice in the ledger, one is missing on each side, one differs."""
    for statement in (TRANSACTIONS, ENTRIES):
        with staging_tables.staging_tables(engine) as tables:
            tables._connection.execute(text(statement), {"app": APP, "records": records, "first": days.first})
            if statement == TRANSACTIONS:
                tables.take_in_transactions(APP, [days])
            else:
                tables.take_in_entries([APP], "default", "ledger.csv", sha256="")


@contextmanager
def planning(connection: Connection) -> Iterator[type[Planning]]:
    """The plans of all statements of the connection meanwhile."""

    class Kept(Planning):
        plans: list[tuple[str, Any]] = []  # noqa: RUF012  kept here on purpose
        sizes: dict[str, int] = {}  # noqa: RUF012

    driver = connection.connection.driver_connection
    assert driver is not None
    usual, driver.cursor_factory = driver.cursor_factory, Kept
    try:
        yield Kept
    finally:
        driver.cursor_factory = usual


def bad_plans(
    engine: Engine, folder: Path, run_id: str = "r", days: Period = AUGUST, tables: Tables = TABLES
) -> list[str]:
    """What is bad about the plans of a matching and of the report that follows it, which are committed."""
    settings = Settings(app_ids=(APP,))
    with engine.connect() as connection:
        with planning(connection) as kept:
            record_run(connection, run_id, (APP,), days, "running")
            match(connection, settings, run_id, (APP,), days, silent)
            write_tables(connection, settings, folder)
        connection.commit()
    assert len(kept.plans) > 100, len(kept.plans)
    return report(kept.plans, tables, kept.sizes)


@pytest.fixture
def engine(make_database: Callable[[], str]) -> Iterator[Engine]:
    """A database of the test's own, whose server analyses no table by itself meanwhile."""
    with open_store(Settings(database_url=make_database())) as opened:
        with opened.begin() as connection:
            for table in ("transactions", "entries", "pairings"):
                connection.execute(text(f"alter table {table} set (autovacuum_enabled = false)"))
        yield opened


def test_no_plan_grows_with_the_square_of_the_records(engine: Engine, tmp_path: Path) -> None:
    load_night(engine)
    assert not bad_plans(engine, tmp_path)
    # And of a night on top of it, in which nothing arrived.
    assert not bad_plans(engine, tmp_path, "r2")


def test_nor_where_the_tables_are_divided(engine: Engine, tmp_path: Path) -> None:
    assert set(partition(engine, [APP, "ap_2"]).values()) == {0}
    load_night(engine)
    assert not bad_plans(engine, tmp_path)
    with engine.connect() as connection:
        count = connection.scalar(text("select count(*) from only transactions_ap_1"))
        made = connection.scalars(
            text("select indexname from pg_indexes where tablename = 'transactions_ap_1'")
        )
        assert (count, len(made.all())) == (RECORDS * 99 // 100, 10)


def test_nor_where_they_are_divided_by_month_too(engine: Engine, tmp_path: Path) -> None:
    load_night(engine, days=SPREAD)
    assert partition(engine, [APP, "ap_2"], months=True)["transactions"] == RECORDS * 99 // 100
    # Months to come are empty, and read whole at no cost.
    parts = {f"{table}_ap_1_2026_0{month}" for table in ("transactions", "entries") for month in (7, 8)}
    with engine.connect() as connection:
        filled = "select tableoid::regclass::text from transactions union select tableoid::regclass::text from entries"
        assert set(connection.scalars(text(filled))) == parts
    divided = replace(TABLES, big=TABLES.big | parts)
    assert not bad_plans(engine, tmp_path, days=SPREAD, tables=divided)
    assert not bad_plans(engine, tmp_path, "r2", days=SPREAD, tables=divided)


def test_without_the_statistics_of_a_load_plans_are_bad(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging_tables, "_MANY", RECORDS * 10)
    load_night(engine)
    found = bad_plans(engine, tmp_path)
    assert any("Index Scan of transactions " in bad for bad in found), found


def test_matched_csv_of_a_small_period_again(engine: Engine, tmp_path: Path) -> None:
    """A small load leaves no statistics, and few records are looked up row by row: each by its number."""
    records = 2_000
    load_night(engine, records)
    bad_plans(engine, tmp_path)
    settings = Settings(app_ids=(APP,))
    with engine.connect() as connection:
        record_run(connection, "r2", (APP,), AUGUST, "running")
        match(connection, settings, "r2", (APP,), AUGUST, silent)
        state_digits(connection, settings.currencies)
        found = connection.execute(text(f"explain (analyze, format json) {read_sql('report/matched')}"))
        plan = found.scalar_one()[0]["Plan"]
    read = [(node["Actual Rows"] * node["Actual Loops"], node["Node Type"]) for node in nodes(plan)]
    assert max(read)[0] < 10 * records, max(read)


@pytest.mark.parametrize("statement", [TRANSACTIONS, ENTRIES])
def test_many_new_records_beside_those_held(engine: Engine, statement: str) -> None:
    """The second month of a backfill, where the server gives a statement little memory."""
    for first in (True, False):
        with staging_tables.staging_tables(engine) as tables:
            connection = tables._connection
            connection.execute(
                text(statement),
                {"app": APP, "records": RECORDS // (4 if first else 1), "first": AUGUST.first},
            )
            connection.execute(text("set work_mem = '64kB'"))
            connection.commit()
            with planning(connection) as kept:
                if statement == TRANSACTIONS:
                    loaded = tables.take_in_transactions(APP, [AUGUST])
                else:
                    loaded = tables.take_in_entries([APP], "default", "ledger.csv", sha256="")
            assert loaded.added > RECORDS // 8
            # A list that is too long to be hashed is materialized, and looked through for each row.
            lists = [
                node
                for _, plan in kept.plans
                for node in nodes(plan)
                if plan.get("Relation Name") in TABLES.big
                and node.get("Parent Relationship") == "SubPlan"
                and node["Node Type"] == "Materialize"
            ]
            assert not lists


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "select from pairings where match_no = any(array(select number from lately))",
            "Seq Scan that compares match_no with an array for each row",
        ),
        (
            "select from lately where number = any(array(select number from lately))",
            "Seq Scan that compares number with an array for each row",
        ),
        (
            "select (select count(*) from lately as other where other.number < lately.number) from lately",
            "Seq Scan of 1000 rows 1000 times",
        ),
        (
            "with found as materialized (select * from lately) select from lately"
            " where (select max(number) from found where found.number = lately.number) > 1",
            "CTE Scan of 1000 rows 333 times",
        ),
        (
            "select from lately inner join lately as other on other.number < lately.number",
            "Nested Loop over 1000 rows in memory 1000 times",
        ),
        ("select from lately where number in (select number from lately)", None),
    ],
)
def test_what_is_done_for_each_row_is_found(engine: Engine, statement: str, fault: str | None) -> None:
    with engine.connect() as connection, planning(connection) as kept:
        connection.execute(
            text(
                "create temp table lately on commit drop as"
                " select number from generate_series(cast(1 as bigint), 1000) as number"
            )
        )
        connection.execute(text("analyze lately"))
        connection.execute(text(statement))
        found = report(kept.plans, TABLES, kept.sizes)
    assert [one.partition(":")[0] for one in found] == ([fault] if fault else [])
