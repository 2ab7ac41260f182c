"""`reconcile partition`: tables by app, or by app and month, hold what they held, and an id only once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile.core.errors import UsageError
from reconcile.db.engine import open_store
from reconcile.db.partition import partition
from reconcile.db.runs import mishap
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.support.arrivals import arrive

APPS = ("ap_1", "AP-2")
MONTHS = range(1, 13)
ADDED = (
    "insert into transactions (app_id, transaction_id, currency, amount, status, created_at)"
    " values (:app, :id, 'INR', 1, 'paid', :at)"
)


def payment(app: str, number: int, at: datetime) -> T:
    return T(f"tx_{number}", app, f"R{number}", "INR", Decimal(number), "paid", at)


def booking(app: str, number: int, day: date) -> E:
    return E("default", f"L{number}", app, f"R{number}", "INR", Decimal(number), "paid", day)


@pytest.fixture
def engine(make_database: Callable[[], str]) -> Iterator[Engine]:
    """Two apps, with the same ids, each with a payment and an entry in every month of 2025."""
    with open_store(Settings(database_url=make_database())) as opened:
        with opened.begin() as connection:
            for app in APPS:
                payments = [payment(app, month, datetime(2025, month, 1, tzinfo=UTC)) for month in MONTHS]
                bookings = [booking(app, month, date(2025, month, 28)) for month in MONTHS]
                arrive(connection, payments, bookings, [app], datetime(2026, 1, 1, tzinfo=UTC))
        yield opened


def held(engine: Engine) -> dict[str, list[Any]]:
    """All rows of the divided tables."""
    with engine.connect() as connection:
        return {
            table: sorted(connection.scalars(text(f"select {table}::text from {table}")))  # noqa: S608
            for table in ("transactions", "entries", "transaction_versions", "entry_versions")
        }


def places(engine: Engine, table: str = "transactions") -> dict[str, int]:
    """How many rows each partition has, of those that have any."""
    with engine.connect() as connection:
        counted = f"select tableoid::regclass::text, count(*) from {table} group by 1"  # noqa: S608
        return dict(connection.execute(text(counted)).tuples().all())


def shape(engine: Engine) -> list[tuple[str, str]]:
    """All tables and indexes, each with what it is a partition of."""
    with engine.connect() as connection:
        asked = (
            "select pg_class.oid::regclass::text, coalesce(pg_get_expr(relpartbound, pg_class.oid), '')"
            " from pg_class where relnamespace = 'reconcile'::regnamespace order by 1"
        )
        return list(connection.execute(text(asked)).tuples())


def insert(connection: Connection, app: str, number: int, at: str) -> None:
    connection.execute(text(ADDED), {"app": app, "id": f"tx_{number}", "at": at})


def test_by_app_then_by_month_and_never_back(engine: Engine) -> None:
    before = held(engine)
    assert partition(engine, [])["transactions"] == 24
    assert places(engine) == {"transactions_ap_1": 12, '"transactions_AP-2"': 12}
    assert partition(engine, [], months=True)["entries"] == 24
    by_month = {f"transactions_ap_1_2025_{month:02}": 1 for month in MONTHS}
    by_month |= {f'"transactions_AP-2_2025_{month:02}"': 1 for month in MONTHS}
    assert places(engine) == by_month
    assert set(places(engine, "entries")) == {name.replace("transactions", "entries") for name in by_month}
    assert held(engine) == before
    with engine.connect() as connection:  # as one is that some partition lacks
        assert connection.scalar(text("select count(*) from pg_index where not indisvalid")) == 0
    after = shape(engine)
    for months in (False, True):
        assert set(partition(engine, [], months=months).values()) == {0}
        assert shape(engine) == after
    # A month that nobody foresaw, and an app: both wait among the rest.
    with engine.begin() as connection:
        insert(connection, "ap_1", 77, "2019-02-01")
        insert(connection, "ap_new", 77, "2025-02-01")
        insert(connection, "ap_new", 78, "2999-02-01")  # stays without a month, but goes to its app
    assert {"transactions_ap_1_rest", "transactions_rest"} < set(places(engine))
    before = held(engine)
    assert partition(engine, ["ap_new"])["transactions"] == 3
    extra = {"transactions_ap_1_2019_02": 1, "transactions_ap_new_2025_02": 1, "transactions_ap_new_rest": 1}
    assert places(engine) == by_month | extra
    assert held(engine) == before


def test_whole_tables_by_month_at_once_are_the_same(engine: Engine, make_database: Callable[[], str]) -> None:
    partition(engine, [], months=True)
    with open_store(Settings(database_url=make_database())) as other:
        with other.begin() as connection:
            connection.execute(
                text("insert into loads (app_id, side) values ('ap_1', 'kspay'), ('AP-2', 'kspay')")
            )
        partition(other, [])
        partition(other, [], months=True)
        columns = (
            "select attrelid::regclass::text, attname, atttypid, attnotnull, attidentity, pg_get_expr(adbin, adrelid)"
            " from pg_attribute left join pg_attrdef on attrelid = adrelid and attnum = adnum"
            " where attrelid in ('transactions'::regclass, 'entries'::regclass) and attnum > 0 order by 1, 2"
        )
        made = "select indexdef from pg_indexes where tablename in ('transactions', 'entries') order by 1"
        for asked in (columns, made):
            with engine.connect() as one, other.connect() as two:
                assert one.execute(text(asked)).all() == two.execute(text(asked)).all()


def refused(
    engine: Engine, *rows: tuple[str, int, str], isolation: str = "READ COMMITTED", first: str = ""
) -> str:
    """How the database refuses these rows, inserted by one statement."""
    with engine.connect().execution_options(isolation_level=isolation) as connection:
        if first:
            connection.execute(text(first))
        values = ", ".join(f"('{app}', 'tx_{number}', 'INR', 1, 'paid', '{at}')" for app, number, at in rows)
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text(f"{ADDED.partition(' values')[0]} values {values}"))
        connection.rollback()
    return str(caught.value.orig).splitlines()[0]


def test_an_id_is_there_once_whatever_its_month(engine: Engine) -> None:
    partition(engine, [], months=True)
    with engine.begin() as connection:
        insert(connection, "ap_other", 3, "2025-02-01")  # another app's id is another one
    says = "transactions: the id (tx_3,ap_1) would be there twice, in two months"
    assert refused(engine, ("ap_1", 30, "2025-01-01"), ("ap_1", 3, "2025-04-01")) == says
    assert refused(engine, ("ap_1", 3, "2040-04-01")) == says
    # By the partition's own key.
    assert "duplicate key" in refused(engine, ("ap_1", 3, "2025-03-31"))
    new = ("ap_1", 31, "2025-01-01"), ("ap_1", 31, "2025-02-01")
    assert refused(engine, *new) == says.replace("tx_3,", "tx_31,")
    # A key holds in such a session too.
    assert refused(engine, *new, first="set local session_replication_role = replica") == says.replace(
        "tx_3,", "tx_31,"
    )
    assert "read committed" in refused(engine, ("ap_1", 30, "2025-01-01"), isolation="REPEATABLE READ")
    with engine.connect() as connection:
        with pytest.raises(DBAPIError, match="a record keeps its id"):
            connection.execute(
                text("update transactions set transaction_id = 'tx_2' where transaction_id = 'tx_3'")
            )
        connection.rollback()
        entry = (
            "insert into entries (app_id, source, ledger_id, currency, amount, status, dated_on)"
            " values ('ap_1', :source, 'L3', 'INR', 1, 'paid', '2025-01-01')"
        )
        connection.execute(text(entry), {"source": "another"})
        with pytest.raises(DBAPIError, match=r"entries: the id \(L3,default,ap_1\) would be there twice"):
            connection.execute(text(entry), {"source": "default"})


def test_two_who_insert_the_same_id_at_the_same_time(engine: Engine) -> None:
    partition(engine, [], months=True)

    def second() -> str:
        with engine.connect() as connection:
            connection.execute(text("set application_name = 'second'"))
            connection.commit()
            try:
                insert(connection, "ap_1", 99, "2025-02-01")
            except DBAPIError as error:
                return str(error.orig)
            return "nothing"

    waits = text(
        "select count(*) from pg_stat_activity where application_name = 'second' and wait_event = 'advisory'"
    )
    with ThreadPoolExecutor(1) as pool, engine.connect() as connection:
        insert(connection, "ap_1", 99, "2025-01-01")
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
            looking.execute(text("set lock_timeout = '5s'"))
            waiting = pool.submit(second)
            while not looking.scalar(waits) and not wait([waiting], 0.05).done:
                pass
            insert(looking, "AP-2", 99, "2025-02-01")  # of another app: does not wait
        connection.commit()
        assert "(tx_99,ap_1) would be there twice" in waiting.result(60)


def test_the_first_load_of_a_long_history(make_database: Callable[[], str]) -> None:
    """Indexes rest while so many records arrive; the partitions' own keys do not, nor does what guards the ids."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    payments = [payment("ap_1", number, start + timedelta(minutes=number)) for number in range(10_001)]
    with open_store(Settings(database_url=make_database())) as engine:
        partition(engine, ["ap_1"], months=True)
        before = shape(engine)
        with engine.begin() as connection:
            arrive(connection, payments, [], ["ap_1"], start)
        assert shape(engine) == before
        assert places(engine) == {"transactions_ap_1_rest": 10_001}
        assert "(tx_5,ap_1) would be there twice" in refused(engine, ("ap_1", 5, str(datetime.now(UTC))))


def test_a_record_moves_to_the_month_that_is_right(engine: Engine) -> None:
    """By the loader, which compares it with what is held and keeps its number."""
    partition(engine, [], months=True)
    numbers = text("select number from transactions where app_id = 'ap_1' and transaction_id = 'tx_3'")
    with engine.begin() as connection:
        number = connection.scalar(numbers)
        corrected = [payment("ap_1", 3, datetime(2025, 7, 2, tzinfo=UTC))]
        rebooked = [booking("ap_1", 3, date(2031, 7, 2))]
        arrive(connection, corrected, rebooked, ["ap_1"], datetime(2026, 2, 1, tzinfo=UTC))
        assert connection.scalars(numbers).all() == [number]
    found = places(engine)
    assert (found.get("transactions_ap_1_2025_03"), found["transactions_ap_1_2025_07"]) == (None, 2)
    assert places(engine, "entries")["entries_ap_1_rest"] == 1
    assert sum(places(engine, "transaction_versions").values()) == 1


def test_partitions_have_names_of_their_own(engine: Engine) -> None:
    """Also those of apps whose ids are long, or end like the name of another table."""
    odd = [
        "rest",
        "whole",
        "pkey",
        "ap_1_rest",
        "ap_1_2025_01",
        "number_seq",
        "number_idx",
        "comparable_idx1",
    ]
    odd += ["a" * 64, "Ap_1", "-", "ap-1_"]
    for months in (False, True):
        partition(engine, odd, months=months)
        with engine.begin() as connection:
            for number, app in enumerate(odd):
                insert(connection, app, number + 100 * (1 + months), "2025-01-01")
        # The months come with the second call, as a year later.
        partition(engine, odd, months=months)
        with engine.connect() as connection:
            spread = connection.execute(
                text(
                    "select count(distinct tableoid), count(distinct app_id) from transactions"
                    " where app_id <> all(:apps)"
                ),
                {"apps": list(APPS)},
            ).one()
        assert tuple(spread) == (len(odd), len(odd))
        assert not {name for name in places(engine) if name.endswith("_rest")}


def test_a_later_version_may_change_the_tables(engine: Engine) -> None:
    partition(engine, [], months=True)
    with engine.begin() as connection:
        connection.execute(text("alter table transactions add column kind text not null default 'x'"))
        connection.execute(text("create index on transactions (kind)"))
        connection.execute(text("create index on entries (lower(status))"))
    partition(engine, ["ap_new"])
    with engine.begin() as connection:
        insert(connection, "ap_new", 1, str(datetime.now(UTC)))
        assert connection.scalar(text("select kind from transactions where app_id = 'ap_new'")) == "x"
        lacking = text(
            "select count(*) from pg_partition_tree('transactions') where isleaf and not exists"
            " (select from pg_indexes where tablename = relid::regclass::text and indexdef like '%(kind)')"
            " and relid::regclass::text not like '%AP-2%'"
        )
        assert connection.scalar(lacking) == 0


def test_a_server_with_too_few_locks(engine: Engine) -> None:
    """Many apps by month need more than its default."""
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            connection.execute(
                text("select pg_advisory_xact_lock(one) from generate_series(1, 1000000) as one")
            )
        connection.rollback()
    assert str(mishap(caught.value)).startswith(
        "the database has room for too few locks: set max_locks_per_tran"
    )


@pytest.mark.parametrize("months", [False, True])
def test_rights_and_the_owner_stay(engine: Engine, months: bool) -> None:
    with engine.begin() as connection:
        connection.execute(text("create role keeper"))
        connection.execute(text("create role auditor"))
        connection.execute(text("grant all on schema reconcile to keeper"))
        for table in ("transactions", "entries", "transaction_versions", "entry_versions"):
            connection.execute(text(f"alter table {table} owner to keeper"))
        connection.execute(text("grant select on transactions to auditor with grant option"))
        connection.execute(text("grant select (app_id), update (amount) on entries to auditor"))
    rights = text(
        "select relname, pg_get_userbyid(relowner), relacl::text from pg_class where oid = any(:tables) union all"
        " select attname, '', attacl::text from pg_attribute where attrelid = any(:tables) and attacl is not null"
        " order by 1"
    )

    def given() -> list[Any]:
        with engine.connect() as connection:
            tables = connection.scalars(
                text("select cast(unnest(array['transactions', 'entries']) as regclass)::oid")
            )
            return list(connection.execute(rights, {"tables": tables.all()}).tuples())

    try:
        before = given()
        partition(engine, ["ap_new"], months=months)
        assert given() == before
        with engine.connect() as connection:
            owners = "select distinct tableowner from pg_tables where tablename ~ '^(transactions|entries)'"
            assert connection.scalars(text(owners)).all() == ["keeper"]
    finally:
        with engine.begin() as connection:
            connection.execute(text("reassign owned by keeper to current_user"))
            connection.execute(text("drop owned by keeper, auditor"))
            connection.execute(text("drop role keeper, auditor"))


def refuses(engine: Engine, *, months: bool) -> str:
    """What is said to be in the way; nothing has changed then."""
    before = shape(engine), held(engine), security(engine)
    with pytest.raises(UsageError) as caught:
        partition(engine, ["ap_new"], months=months)
    assert (shape(engine), held(engine), security(engine)) == before
    said = str(caught.value)
    assert said.startswith("partition: ")
    assert said.endswith(": drop or disable this first, and make it again afterwards")
    return said.removeprefix("partition: ").rpartition(": ")[0]


def security(engine: Engine) -> list[Any]:
    """Tables with row-level security, policies and triggers."""
    with engine.connect() as connection:
        asked = (
            "select 'secured', oid::regclass::text from pg_class where relrowsecurity union all"
            " select 'policy ' || polname, polrelid::regclass::text from pg_policy union all"
            " select 'trigger ' || tgname, tgrelid::regclass::text from pg_trigger where not tgisinternal order by 1, 2"
        )
        return list(connection.execute(text(asked)).tuples())


@pytest.mark.parametrize("months", [False, True])
def test_row_security_and_triggers_are_not_lost(engine: Engine, months: bool) -> None:
    """Whole tables are replaced, and those by app when they are divided by month."""
    if months:
        partition(engine, [])
    secured = "alter table transactions enable row level security"
    with engine.begin() as connection:
        connection.execute(text(secured))
    assert refuses(engine, months=months) == "table transactions has row-level security"
    with engine.begin() as connection:
        connection.execute(text(secured.replace("enable", "disable")))
        connection.execute(text("create policy only_one on entries using (app_id = 'ap_1')"))
    assert refuses(engine, months=months) == "table entries has policy only_one"
    with engine.begin() as connection:
        connection.execute(text(secured))
        connection.execute(
            text(
                "create trigger audited before update on transactions for each row"
                " execute function suppress_redundant_updates_trigger()"
            )
        )
        connection.execute(text("create view of_ours as select count(*) from entries"))
    assert refuses(engine, months=months) == (
        "table transactions has row-level security; table transactions has trigger audited;"
        " table entries has policy only_one; view of_ours depends on table entries"
    )
    if months:  # They stay where nothing is replaced.
        before = {*security(engine)}
        partition(engine, ["ap_new"])
        assert before < {*security(engine)}


def test_row_security_of_a_partition_is_not_lost(engine: Engine) -> None:
    partition(engine, [])
    with engine.begin() as connection:
        connection.execute(text("alter table transactions_ap_1 enable row level security"))
        connection.execute(text("create policy mine on transactions_ap_1 using (amount < 5)"))
    assert refuses(engine, months=True) == (
        "table transactions_ap_1 has row-level security; table transactions_ap_1 has policy mine"
    )


def test_a_view_of_somebody_else_is_not_dropped(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("create view of_ours_whole as select count(*) from transactions"))
    assert refuses(engine, months=False) == "view of_ours_whole depends on table transactions"
    with engine.begin() as connection:
        connection.execute(text("drop view of_ours_whole"))
    partition(engine, [])
    with engine.begin() as connection:
        connection.execute(text("create view of_ours_whole as select count(*) from transactions"))
        connection.execute(text("create view of_one as select count(*) from transactions_ap_1"))
    assert sorted(refuses(engine, months=True).split("; ")) == [
        "view of_one depends on table transactions_ap_1",
        "view of_ours_whole depends on table transactions",
    ]
