"""What tests share: one embedded Postgres for the session with a new database for whoever asks, and
KS Pay servers over made-up merchants."""

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from reconcile.db.embedded.server import embedded_postgres
from reconcile.db.engine import open_store
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import Sandbox, serve
from reconcile.settings import Settings
from tests.support.coverage import leave
from tests.support.driver import Command, MakeCommand, Outcome, Shop
from tests.support.office import Office
from tests.support.warm import start_when_asked

# No test hangs on how quick this machine is. HYPOTHESIS_PROFILE=full tries thousands of random worlds where a
# usual run tries dozens.
settings.register_profile(
    "usual", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("full", settings.get_profile("usual"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "usual")

EXAMPLES = Path(__file__).parents[1] / "examples" / "ledgers"

MEMORY = Path("/dev/shm")  # noqa: S108  a folder with a random name is made in it
"""A file system in memory, on Linux."""


def roomy_memory() -> Path | None:
    """A file system in memory, if there is one with much room."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30 else None


def pytest_configure(config: pytest.Config) -> None:
    """Clean up also when the tests are ended by `timeout` or `kill`: as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        start_when_asked()


# Half of the time in which the tests are imported would be spent on looking for garbage among what stays.
gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """From here on garbage is looked for again, but not among what was imported."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, and wait most of it: all others fit beside them.

    They wait for Prefect, and for retries: beside others of KS Pay's client, which wait too, no core would be busy.
    """
    items.sort(key=lambda item: not item.path.name.startswith(("test_flows", "test_client_profiles")))


def pytest_sessionfinish() -> None:
    """Leave what this process ran of the product, if that is measured."""
    leave()


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A working folder with the examples in it."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript((EXAMPLES / "shop.sql").read_text("utf-8"))
    database.close()
    monkeypatch.chdir(tmp_path)
    return Settings.read({"KSPAY_APP_ID": "ap_1"})


@pytest.fixture(scope="session")
def work_folder() -> Iterator[Path]:
    """For databases and for what commands leave; removed at the end of the session.

    It lies in memory where there is much of it: a third of the work of Postgres is to make and remove files.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-test-", dir=roomy_memory()) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_url(work_folder: Path) -> Iterator[str]:
    """The URL of a server of the test session's own; stopped and removed at its end."""
    with embedded_postgres(work_folder / "home") as url:
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            # Nothing of it outlives the session, so nothing waits for the disk.
            # And hundreds of databases would be looked through for what to vacuum, each once a minute.
            for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                connection.execute(text(f"alter system set {setting} = off"))
            connection.execute(text("select pg_reload_conf()"))
        yield url


@pytest.fixture(scope="session")
def make_empty_database(postgres_url: str) -> Callable[[], str]:
    """Makes a new database without any table and gives its URL."""
    return _databases(postgres_url, "empty", "template1")


@pytest.fixture(scope="session")
def make_database(make_empty_database: Callable[[], str], postgres_url: str) -> Callable[[], str]:
    """Makes a new database with the tables of the product, all empty, and gives its URL."""
    url = make_empty_database()
    with open_store(Settings(database_url=url)):
        pass
    return _databases(postgres_url, "test", make_url(url).database or "")


def _databases(server: str, name: str, template: str) -> Callable[[], str]:
    numbers = count(1)
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def make() -> str:
        database = f"{name}_{next(numbers)}"
        with engine.connect() as connection:
            connection.execute(text(f"create database {database} template {template} strategy file_copy"))
        return make_url(server).set(database=database).render_as_string(hide_password=False)

    return make


@pytest.fixture(scope="module")
def database_url(make_database: Callable[[], str]) -> str:
    """The URL of a new database, the module's own, with all tables and no record in them."""
    return make_database()


@pytest.fixture(scope="module")
def fresh_engine(database_url: str) -> Iterator[Engine]:
    """An engine on the same."""
    with open_store(Settings(database_url=database_url)) as engine:
        yield engine


@pytest.fixture(scope="session")
def big_shop() -> Iterator[Shop]:
    """120 days of a merchant, about 3,000 transactions."""
    yield from _serving(Merchant.made_up(1, date(2026, 3, 1), 120))


@pytest.fixture(scope="session")
def small_shop() -> Iterator[Shop]:
    """28 days of another merchant, with discrepancies of every type."""
    yield from _serving(Merchant.made_up(7, date(2026, 2, 1), 28))


@pytest.fixture(scope="session")
def calm_shop() -> Iterator[Shop]:
    """Five days of a merchant with nothing wrong but timing."""
    yield from _serving(Merchant.made_up(3, date(2026, 4, 1), 5))


def _serving(merchant: Merchant) -> Iterator[Shop]:
    with serve(merchant) as sandbox:
        yield merchant, sandbox


@pytest.fixture(scope="session")
def made_home(work_folder: Path) -> Path:
    """A home with an embedded database that has all tables and no record; nobody uses it."""
    home = work_folder / "made" / "home"
    with open_store(Settings(home=home)):
        pass
    return home


def copy_home(made: Path, home: Path) -> None:
    """Put a database that was made before there: to make one takes a second."""
    # It belongs to another user than ours, where we are root.
    subprocess.run(["cp", "-a", made, home], check=True)


@pytest.fixture(scope="module")
def make_command(
    request: pytest.FixtureRequest,
    work_folder: Path,
    make_database: Callable[[], str],
) -> Iterator[MakeCommand]:
    """Makes `driver.Command`s, each with a folder and a database of its own; all are cleaned up at the module's end.

    The database is one of the session's server; with `embedded`, it is what a command makes where no setting
    names one. With `made` it is embedded, too, and has been made before.
    """
    with ExitStack() as stack:

        def make(
            sandbox: Sandbox | None = None, *, embedded: bool = False, made: bool = False, **settings: str
        ) -> Command:
            folder = Path(tempfile.mkdtemp(prefix="work-", dir=work_folder))
            if made:
                copy_home(request.getfixturevalue("made_home"), folder / ".reconcile")
            elif not embedded:
                settings = {
                    "RECONCILE_DATABASE_URL": settings.get("RECONCILE_DATABASE_URL") or make_database()
                } | settings
            return stack.enter_context(Command(folder, sandbox, **settings))

        yield make


@pytest.fixture(scope="module")
def calm(calm_shop: Shop, make_command: MakeCommand) -> Command:
    """The command beside the calm shop, with its ledger.csv; the module's own."""
    merchant, sandbox = calm_shop
    command = make_command(sandbox)
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


@pytest.fixture(scope="session")
def small_run(small_shop: Shop, work_folder: Path, made_home: Path) -> Iterator[tuple[Command, Outcome]]:
    """The small shop reconciled once, all its days, with the embedded database. Look, but change nothing."""
    merchant, sandbox = small_shop
    with Command(work_folder / "small", sandbox) as command:
        copy_home(made_home, command.home)
        merchant.write_ledger(command.folder / "ledger.csv")
        days = ("--from", str(merchant.first_day), "--to", str(merchant.last_day))
        yield command, command.good("run", *days, "--ledger", "ledger.csv")


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The spreadsheet program."""
    with Office(tmp_path_factory.mktemp("office")).opened() as opened:
        yield opened
