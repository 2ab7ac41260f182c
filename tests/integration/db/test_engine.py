"""Migrations: applied once, whoever starts at the same time, and never on a database that is not ours to change."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from reconcile.core.errors import DatabaseUnreachable, ReconcileError, UsageError
from reconcile.core.progress import silent
from reconcile.db.embedded.server import embedded_postgres
from reconcile.db.engine import open_store
from reconcile.db.locks import app_locks, match_locks
from reconcile.db.sql_files import sql_names
from reconcile.doctor import Finding, examine
from reconcile.match.policy import state_policy
from reconcile.settings import Settings

OPEN = """
import sys
from reconcile.settings import Settings
from reconcile.db.engine import open_store
print("ready", flush=True)
sys.stdin.readline()
with open_store(Settings(database_url=sys.argv[1])):
    pass
"""


def test_no_statement_is_compiled_whatever_the_server_does(make_empty_database: Callable[[], str]) -> None:
    url = make_url(make_empty_database()).update_query_dict({"options": "-c jit=on -c datestyle=German"})
    given = url.render_as_string(hide_password=False)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("show jit")) == "on"
    with open_store(Settings(database_url=given)) as engine, engine.connect() as connection:
        found = [connection.scalar(text(f"show {name}")) for name in ("jit", "datestyle", "timezone")]
    assert found == ["off", "ISO, YMD", "UTC"]


def test_a_connection_is_used_again_as_if_it_were_new(database_url: str) -> None:
    """A transaction, a temporary table, a setting and a lock of one use are not there in the next."""
    asked = (
        "select pg_backend_pid()",
        "select to_regclass('pg_temp.mine') is null",
        "select count(*) from transactions where transaction_id = 'tx_unfinished'",
        "show search_path",
        "show timezone",
        "show enable_hashjoin",
        "show statement_timeout",
        "select pg_try_advisory_lock(7)",
    )

    def answers(engine: Engine) -> list[object]:
        with engine.connect() as connection:
            return [connection.scalar(text(words)) for words in asked]

    with open_store(Settings(database_url=database_url)) as engine:
        before = answers(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for words in (
                "set search_path to public",
                "set timezone to 'Asia/Kolkata'",
                "set enable_hashjoin to off",
                "set statement_timeout to '1s'",
            ):
                connection.execute(text(words))
            assert connection.scalar(text("select pg_backend_pid()")) == before[0]
        with engine.connect() as connection:
            connection.execute(text("create temporary table mine (number integer)"))
            connection.commit()
            connection.execute(
                text(
                    "insert into transactions (app_id, transaction_id, currency, amount, status, created_at)"
                    " values ('ap_1', 'tx_unfinished', 'INR', 1, 'paid', now())"
                )
            )
        assert answers(engine) == before
        assert before[-1] is True
        with create_engine(database_url, poolclass=NullPool).connect() as other:
            assert other.scalar(text("select pg_try_advisory_lock(7)")) is True


def test_a_connection_that_was_lost_between_two_uses_is_replaced(database_url: str) -> None:
    pid = text("select pg_backend_pid()")
    with open_store(Settings(database_url=database_url)) as engine:
        with engine.connect() as connection:
            lost = connection.scalar(pid)
        with create_engine(database_url, poolclass=NullPool).connect() as other:
            other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": lost})
        with engine.connect() as connection:
            assert connection.scalar(pid) != lost


def test_a_connection_that_is_lost_while_it_is_idle_is_no_error_at_the_end_of_its_use(
    database_url: str,
) -> None:
    """It holds a lock, say, and nothing more is asked on it."""
    with open_store(Settings(database_url=database_url)) as engine:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lost = connection.scalar(text("select pg_backend_pid()"))
            with engine.connect() as other:
                other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": lost})
        with engine.connect() as connection:
            assert connection.scalar(text("select pg_backend_pid()")) != lost


def test_a_time_zone_that_the_server_does_not_know(make_empty_database: Callable[[], str]) -> None:
    with resources.files("tzdata.zoneinfo.Asia").joinpath("Kolkata").open("rb") as file:
        zone = ZoneInfo.from_file(file, key="Mars/Olympus")
    settings = Settings(database_url=make_empty_database(), timezone=zone)
    with (
        pytest.raises(
            UsageError, match=r"^RECONCILE_TIMEZONE: the database's PostgreSQL does not know 'Mars"
        ),
        open_store(settings),
    ):
        pass


def test_processes_that_start_together_apply_each_migration_once(
    make_empty_database: Callable[[], str],
) -> None:
    url = make_empty_database()
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
    make_empty_database: Callable[[], str], change: str, complaint: str
) -> None:
    url = make_empty_database()
    with open_store(Settings(database_url=url)):
        pass
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(change))
    with pytest.raises(ReconcileError, match=complaint), open_store(Settings(database_url=url)):
        pass


def made_by_0_1(url: str) -> None:
    """Leave what version 0.1 left: its migrations, by their names, and a decision."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("create schema if not exists reconcile"))
        connection.execute(text("set local search_path to reconcile, pg_catalog"))
        connection.execute(
            text(
                "create table migrations (name text primary key, sha256 text not null,"
                " applied_at timestamptz not null default now())"
            )
        )
        connection.execute(
            text(
                "insert into migrations (name, sha256) values ('0001_records', 'x'), ('0011_functions', 'y')"
            )
        )
        connection.execute(text("create table decisions (note text)"))
        connection.execute(text("insert into decisions values ('kept')"))


def test_a_database_of_version_0_1_is_refused_and_left_as_it_is(
    make_empty_database: Callable[[], str],
) -> None:
    url = make_empty_database()
    made_by_0_1(url)
    with pytest.raises(UsageError) as caught, open_store(Settings(database_url=url)):
        pass
    message = str(caught.value)
    assert "made by version 0.1" in message
    assert "name an empty database in RECONCILE_DATABASE_URL" in message
    assert "\n" not in message
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        tables = text("select tablename from pg_tables where schemaname = 'reconcile' order by tablename")
        assert list(connection.scalars(tables)) == ["decisions", "migrations"]
        assert list(connection.scalars(text("select note from reconcile.decisions"))) == ["kept"]


def test_an_embedded_database_of_version_0_1_is_refused_until_its_folder_is_removed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with embedded_postgres(settings.home) as url:
        made_by_0_1(url)
    with pytest.raises(UsageError) as caught, open_store(settings):
        pass
    folder = settings.home / "postgres"
    assert f"remove the folder {folder} and run again" in str(caught.value)
    shutil.rmtree(folder)
    with open_store(settings) as engine, engine.connect() as connection:
        assert connection.scalar(text("select count(*) from decisions")) == 0


def test_the_lock_of_an_app_is_free_as_soon_as_it_is_given_back(
    make_empty_database: Callable[[], str],
) -> None:
    """The server learns of a closed connection only later: a run right after another was told to come back."""
    with open_store(Settings(database_url=make_empty_database())) as engine, engine.connect() as looking:
        held = text(
            "select count(*) from pg_locks where locktype = 'advisory' and database ="
            " (select oid from pg_database where datname = current_database())"
        )
        for _ in range(100):
            with app_locks(engine, ["ap_1", "ap_2"], wait=False):
                assert looking.scalar(held) == 2
            assert looking.scalar(held) == 0


def test_whoever_matches_an_app_waits_for_the_other(make_empty_database: Callable[[], str]) -> None:
    with open_store(Settings(database_url=make_empty_database())) as engine, ThreadPoolExecutor(1) as pool:
        order = []

        def second() -> None:
            with match_locks(engine, ["ap_2", "ap_1"], silent):
                order.append("second")

        with match_locks(engine, ["ap_1"], silent), app_locks(engine, ["ap_1"], wait=False):
            waiting = pool.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(1.5)
            order.append("first")
        waiting.result(30)
    assert order == ["first", "second"]


def test_a_database_that_cannot_hold_every_name_is_refused(postgres_url: str) -> None:
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "create database test_latin encoding 'LATIN1' locale_provider libc locale 'C' template template0"
            )
        )
    url = make_url(postgres_url).set(database="test_latin").render_as_string(hide_password=False)
    with pytest.raises(UsageError, match=r"encoding is LATIN1.*UTF8"), open_store(Settings(database_url=url)):
        pass


def test_a_status_is_the_same_in_a_database_that_folds_only_ascii(
    postgres_url: str, make_empty_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text("create database test_c encoding 'UTF8' locale_provider libc locale 'C' template template0")
        )
    (tmp_path / "reconcile.toml").write_text('[status.ledger]\npaid = ["Оплачено", "bezahlt ü"]\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    written = ["Оплачено", "ОПЛАЧЕНО", " оплачено ", "BEZAHLT Ü", "Bezahlt ü", "PAID", "Оплата"]
    found = []
    for url in (
        make_empty_database(),
        make_url(postgres_url).set(database="test_c").render_as_string(hide_password=False),
    ):
        settings = replace(Settings.read(), database_url=url)
        with open_store(settings) as store, store.connect() as connection:
            for number, status in enumerate(written):
                connection.execute(
                    text(
                        "insert into entries (app_id, source, ledger_id, currency, amount, status, dated_on)"
                        " values ('ap_1', 'default', :id, 'INR', 1, :status, '2026-08-01')"
                    ),
                    {"id": f"L{number}", "status": status},
                )
            state_policy(connection, settings, ("ap_1",))
            families_found = connection.execute(
                text("select status, family from usable_entry order by ledger_id")
            )
            found.append(families_found.tuples().all())
    assert found[0] == found[1]
    assert [family for _, family in found[0]] == ["paid"] * 6 + ["unknown"]


@pytest.fixture
def role(postgres_url: str, make_empty_database: Callable[[], str]) -> Iterator[tuple[Engine, str]]:
    """A role that is no superuser, and a database in which nobody has any right by himself: both as administrators
    make them. Gives the administrator's engine, and the URL by which the role connects."""
    url = make_url(make_empty_database())
    admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("create role \"night runner\" login password 'its own'"))
        connection.execute(text(f"revoke all on database {url.database} from public"))
        connection.execute(text(f'grant connect on database {url.database} to "night runner"'))
    yield admin, url.set(username="night runner", password="its own").render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text('drop owned by "night runner" cascade'))
        connection.execute(text(f'revoke all on database {url.database} from "night runner"'))
        connection.execute(text('drop role "night runner"'))


def test_the_schema_of_another_role_is_not_to_be_made_again(role: tuple[Engine, str]) -> None:
    admin, url = role
    with admin.connect() as connection:
        connection.exec_driver_sql(f'grant temporary on database {make_url(url).database} to "night runner"')
        connection.exec_driver_sql("create schema reconcile")
        owner = connection.scalar(text("select quote_ident(current_user)"))
    with pytest.raises(UsageError) as refused, open_store(Settings(database_url=url)):
        pass
    assert str(refused.value) == (
        'RECONCILE_DATABASE_URL: the role "night runner" may not use the schema reconcile, which the role '
        f"{owner} owns: sign in as a role that acts as it, or name another database"
    )


def test_a_role_needs_its_own_schema_and_temporary_tables_alone(
    role: tuple[Engine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And `doctor` finds what a run would."""
    admin, url = role
    monkeypatch.setenv("RECONCILE_DATABASE_URL", url)
    settings = Settings(database_url=url)
    for says, given in (
        (
            'the role "night runner" may not make temporary tables: as an administrator, run: ',
            'grant temporary on database {} to "night runner"',
        ),
        (
            'the role "night runner" has no schema reconcile of its own and may not make one: '
            "as an administrator, run: ",
            'create schema reconcile authorization "night runner"',
        ),
    ):
        statement = given.format(make_url(url).database)
        with pytest.raises(UsageError) as refused, open_store(settings):
            pass
        assert str(refused.value) == f"RECONCILE_DATABASE_URL: {says}{statement}"
        assert Finding("database", str(refused.value), exit_code=2) in examine(quick=True)
        with admin.connect() as connection:
            connection.exec_driver_sql(statement)
    with open_store(settings) as engine, engine.connect() as connection:
        assert connection.scalar(text("select count(*) from transactions")) == 0
        connection.execute(text("create temp table scratch (number integer)"))
    with open_store(settings):
        pass
    with admin.connect() as connection:
        connection.exec_driver_sql("alter table reconcile.entries owner to current_user")
        connection.exec_driver_sql('grant select on reconcile.entries to "night runner"')
        connection.exec_driver_sql("create table reconcile.notes_of_an_administrator (note text)")
    with pytest.raises(UsageError) as refused, open_store(settings):
        pass
    says, _, statement = str(refused.value).rpartition(", each with: ")
    assert "may not use the table reconcile.entries, which another role owns" in says
    with admin.connect() as connection:
        connection.exec_driver_sql(statement)
    with open_store(settings):
        pass
    with admin.connect() as connection:
        connection.exec_driver_sql('revoke usage on schema reconcile from "night runner"')
    with pytest.raises(UsageError, match="has no schema reconcile of its own"), open_store(settings):
        pass


def test_a_database_that_does_not_answer_may_do_so_later(make_empty_database: Callable[[], str]) -> None:
    url = make_url(make_empty_database())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nowhere = f"postgresql+psycopg://somebody@127.0.0.1:{port}/books"
    with (
        pytest.raises(DatabaseUnreachable, match="does not answer"),
        open_store(Settings(database_url=nowhere)),
    ):
        pass
    stranger = url.set(username="nobody knows").render_as_string(hide_password=False)
    with (
        pytest.raises(UsageError, match="refuses the connection") as refused,
        open_store(Settings(database_url=stranger)),
    ):
        pass
    assert not isinstance(refused.value, DatabaseUnreachable)
