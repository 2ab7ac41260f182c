"""Every row of one app names it, and every unique key of such rows holds it: so tables can be spread by app."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.db.engine import open_database, open_store
from reconcile.db.migrations import make_schema
from reconcile.db.partition import partition
from reconcile.db.sql_files import read_sql, run_file, sql_names
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.support.arrivals import arrive

APPS = ("ap_1", "AP-2")

OF_NO_SINGLE_APP: Mapping[str, str] = {
    "migrations": "what was done to the tables",
    "runs": "a run may be of several apps",
    "imports": "a file may hold entries of several apps",
    "prunings": "old states of all apps go at once",
    "decisions": "one chain: a decision of each app carries the hash of the one before, of whatever app",
    "decision_head": "the end of that chain",
    "decision_files": "a file may decide about several apps",
    "journal_exports": "each belongs to a decision, and no decision is exported twice",
    "closes": "a month is closed for all apps, in one chain",
    "close_head": "the end of that chain",
    "closed_files": "the files of such a month",
}
"""The tables whose rows belong to no app, or whose keys hold for all apps together, and why."""


def without_app(connection: Connection) -> list[str]:
    """The tables and unique keys of the schema that lack a column of the app."""
    return [*connection.scalars(text(LACKING), {"others": list(OF_NO_SINGLE_APP)})]


LACKING = """
with own as (
    select pg_class.oid, app.attnum as app
    from pg_class
    left join pg_attribute as app on app.attrelid = pg_class.oid and app.attname = 'app_id' and app.attnotnull
    where relnamespace = 'reconcile'::regnamespace and relkind in ('r', 'p') and relname <> all(:others)
)

select oid::regclass::text from own where app is null
union
select indexrelid::regclass::text
from own
inner join pg_index on indrelid = oid
where indisunique and app <> all((indkey::smallint[])[0\\:indnkeyatts - 1])
order by 1
"""


@pytest.fixture
def engine(make_database: Callable[[], str]) -> Iterator[Engine]:
    with open_store(Settings(database_url=make_database())) as opened:
        yield opened


@pytest.mark.parametrize("divided", ["whole", "by app", "by app and month"])
def test_keys_of_what_belongs_to_an_app_hold_it(engine: Engine, divided: str) -> None:
    if divided != "whole":
        partition(engine, APPS, months=divided == "by app and month")
    with engine.connect() as connection:
        assert without_app(connection) == []
        known = connection.scalars(
            text("select relname from pg_class where relnamespace = 'reconcile'::regnamespace")
        ).all()
    assert set(known) >= set(OF_NO_SINGLE_APP)


def test_a_key_without_the_app_is_seen(engine: Engine) -> None:
    with engine.connect() as connection:
        for made in (
            "create table a_key (app_id text not null, number bigint primary key)",
            "create table an_index (app_id text not null, number bigint)",
            "create unique index on an_index (number) include (app_id)",
            "create table no_app (number bigint)",
            "create table nobody_s (app_id text)",
            "create table good (number bigint, app_id text not null, unique (number, app_id))",
        ):
            connection.execute(text(made))
        assert without_app(connection) == ["a_key_pkey", "an_index_number_app_id_idx", "no_app", "nobody_s"]


@contextmanager
def as_before(url: str) -> Iterator[Engine]:
    """A database with the tables as they were before keys held the app."""
    with open_database(Settings(database_url=url)) as opened:
        with opened.begin() as connection:
            make_schema(connection)
            run_file(connection, "db/migrations_table")
            for name in sql_names("migrations"):
                if name < "migrations/0006":
                    connection.exec_driver_sql(read_sql(name))
                    connection.execute(
                        text("insert into migrations (name, sha256) values (:name, :sha256)"),
                        {
                            "name": name.removeprefix("migrations/"),
                            "sha256": sha256(read_sql(name).encode()).hexdigest(),
                        },
                    )
        yield opened


# What each app has: tx_1 is matched with L1 and was with L2, and L2 is a refund booked with L1.
REMEMBERED = """
insert into runs (run_id, command, apps, period_first, period_last)
values ('r', 'run', '{}', '2025-01-01', '2025-12-31');

insert into pairings (transaction_no, entry_no, match_no, rule, made_by, stands_for_transaction, stands_for_entry)
select transactions.number, entries.number, transactions.number, 'manual', 1, true, true
from transactions inner join entries using (app_id) where ledger_id = 'L1';

insert into pairing_versions (transaction_no, entry_no, match_no, rule, made_by, undone_by)
select transactions.number, entries.number, transactions.number, 'reference', 1, 1
from transactions inner join entries using (app_id) where ledger_id = 'L2';

insert into bookings (entry_no, lead_no)
select refund.number, paid.number
from entries as refund inner join entries as paid using (app_id)
where refund.ledger_id = 'L2' and paid.ledger_id = 'L1';

insert into findings (app_id, side, number, aspect, kind)
select app_id, 'kspay', number, 'status', 'STATUS_MISMATCH' from transactions;

insert into discrepancies (
    discrepancy_id, app_id, side, source, record_id, aspect, type, severity, facts, first_seen
)
select 'D-' || app_id, app_id, 'kspay', 'kspay', 'tx_1', 'status', 'STATUS_MISMATCH', 'high', 'x', '2025-01-01'
from transactions;

insert into discrepancy_versions (discrepancy_id, type, severity, facts, replaced_by)
select discrepancy_id, 'UNKNOWN_STATUS', 'high', 'w', 'r' from discrepancies;

insert into movements (run, discrepancy_id, app_id, kind, type, facts, currency, amount)
select 1, discrepancy_id, app_id, 'new', type, facts, 'INR', 1 from discrepancies
"""
# By the app of the record that a row refers to.
OF_WHOM = """
select 'pairings' as said, pairings.app_id, transactions.app_id as of_record
from pairings inner join transactions on transactions.number = transaction_no
union all
select 'pairings', pairings.app_id, entries.app_id from pairings inner join entries on entries.number = entry_no
union all
select 'pairing_versions', pairing_versions.app_id, entries.app_id
from pairing_versions inner join entries on entries.number = entry_no
union all
select 'bookings', bookings.app_id, entries.app_id from bookings inner join entries on entries.number = lead_no
union all
select 'discrepancy_versions', discrepancy_versions.app_id, discrepancies.app_id
from discrepancy_versions inner join discrepancies using (discrepancy_id)
"""


@pytest.mark.parametrize("divided", ["whole", "by app", "by app and month"])
def test_what_was_remembered_gets_the_app_of_its_records(
    make_empty_database: Callable[[], str], divided: str
) -> None:
    url = make_empty_database()
    with as_before(url) as engine:
        with engine.begin() as connection:
            for app in APPS:
                payment = T("tx_1", app, "R", "INR", Decimal(2), "paid", datetime(2025, 3, 1, tzinfo=UTC))
                entries = [
                    E(
                        "default",
                        f"L{number}",
                        app,
                        "R",
                        "INR",
                        Decimal(amount),
                        "paid",
                        date(2025, number, 1),
                    )
                    for number, amount in ((1, 2), (2, -1))
                ]
                arrive(connection, [payment], entries, [app], datetime(2026, 1, 1, tzinfo=UTC))
            run_script(connection, REMEMBERED)
        if divided != "whole":
            partition(engine, APPS, months=divided == "by app and month")
            with engine.begin() as connection:  # as that version made them
                for table in ("transactions", "entries"):
                    tree = "select relid::regclass::text from pg_partition_tree(:table) where isleaf"
                    for leaf in connection.scalars(text(tree), {"table": table}).all():
                        connection.execute(text(f"create unique index on {leaf} (number)"))
        with engine.connect() as connection:
            assert "pairings" in without_app(connection)
    with open_store(Settings(database_url=url)) as engine, engine.connect() as connection:
        assert without_app(connection) == []
        rows = connection.execute(text(OF_WHOM)).tuples().all()
        assert {(said, app) for said, app, _ in rows} == {
            (said, app)
            for said in ("pairings", "pairing_versions", "bookings", "discrepancy_versions")
            for app in APPS
        }
        assert [row for row in rows if row[1] != row[2]] == []
        counted = "select indrelid::regclass::text from pg_index where indkey::text = ("
        counted += "select attnum::text from pg_attribute where attrelid = indrelid and attname = 'number')"
        tree = "select relid::regclass::text from pg_partition_tree('entries') union select 'entries'"
        assert {*connection.scalars(text(tree))} <= {*connection.scalars(text(counted))}


def run_script(connection: Connection, script: str) -> None:
    for statement in script.split(";"):
        connection.execute(text(statement))
