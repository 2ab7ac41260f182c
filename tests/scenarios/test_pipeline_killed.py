"""A run that is killed leaves nothing that misleads, and the next one ends as if nothing had been."""

import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from reconcile.core.records import Period
from reconcile.db import runs
from tests.support.driver import Command, MakeCommand, Outcome, Running, Shop
from tests.support.gate import Hold, gate


@pytest.fixture(scope="module")
def undisturbed(small_run: tuple[Command, Outcome]) -> dict[str, str]:
    return small_run[0].latest().same()


@pytest.fixture
def command(small_shop: Shop, make_command: MakeCommand) -> Command:
    merchant, sandbox = small_shop
    command = make_command(sandbox, made=True)
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


@pytest.fixture(scope="module")
def words(small_shop: Shop) -> tuple[str, ...]:
    days = ("--from", str(small_shop[0].first_day), "--to", str(small_shop[0].last_day))
    return ("run", *days, "--ledger", "ledger.csv")


def check_nothing_half_written(command: Command) -> list[str]:
    """Every folder that a person sees is whole, and so is what `latest` names; the names of the folders."""
    out = command.folder / "reports"
    folders = [path for path in out.glob("[!.]*") if not path.is_symlink()] if out.exists() else []
    for folder in folders:
        files = json.loads((folder / "run.json").read_text("utf-8"))["files"]
        assert len(files) == 9  # six CSV files, the Parquet file, the page and the workbook
        for name, of in files.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == of["sha256"]
    if (out / "latest").is_symlink():
        assert (out / "latest" / "run.json").exists()
    return sorted(folder.name for folder in folders)


def states(command: Command) -> dict[str, str]:
    """What `reconcile runs` says, by run."""
    lines = [line.split("│") for line in command.good("runs").out.splitlines() if "│" in line]
    # A long error goes on in lines whose other cells are empty.
    return {cells[1].strip(): cells[3].strip() for cells in lines if cells[1].strip()}


def check_as_undisturbed(command: Command, words: tuple[str, ...], undisturbed: dict[str, str]) -> None:
    command.good(*words)
    report = command.latest()
    assert report.same() == undisturbed
    assert report.run_id in check_nothing_half_written(command)
    assert list((command.folder / "reports").glob(".*")) == []
    known = states(command)
    assert known.pop(report.run_id) == "finished"
    assert set(check_nothing_half_written(command)) - {report.run_id} == {
        run for run, state in known.items() if state == "finished"
    }
    assert set(known.values()) <= {"failed", "finished"}
    assert command.postmasters() == []


def stderr_line(beginning: str) -> Callable[[Command, Running], None]:
    return lambda _command, running: running.wait_for(beginning)


def folder_there(command: Command, running: Running) -> None:
    """The report has its final name, but the run may not have ended in the database."""
    out = command.folder / "reports"
    while not any(path.name[0] != "." for path in out.glob("*")):
        assert running.process.poll() is None
        threading.Event().wait(0.002)  # a folder has no event that could be awaited


MOMENTS = {
    "ledger": stderr_line("ledger: "),
    "match": stderr_line("match: "),
    "folder": folder_there,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment(
    command: Command, words: tuple[str, ...], undisturbed: dict[str, str], moment: str
) -> None:
    with command.start(*words) as running:
        MOMENTS[moment](command, running)
        running.process.kill()
        running.ended()
    check_nothing_half_written(command)
    check_as_undisturbed(command, words, undisturbed)


def test_killed_between_two_pages_and_shown_as_failed(
    small_shop: Shop, command: Command, words: tuple[str, ...], undisturbed: dict[str, str]
) -> None:
    hold = Hold("/transaction?")
    with gate(small_shop[1], hold) as held:
        with command.start(*words, KSPAY_BASE_URL=held.base_url) as running:
            assert hold.held.wait(60)
            running.process.kill()
            running.ended()
        hold.go.set()
    (state,) = states(command).values()
    assert check_nothing_half_written(command) == []
    check_as_undisturbed(command, words, undisturbed)
    assert sorted(states(command).values()) == ["failed", "finished"]
    # Also before another run had swept up after it: nobody may wait for a run that is dead.
    assert state == "failed"


def test_killed_again_and_again_at_any_time(
    command: Command, words: tuple[str, ...], undisturbed: dict[str, str]
) -> None:
    command.good(*words)
    first = command.latest()
    chance = Random(20_260_801)
    for _ in range(4):
        with command.start(*words) as running:
            # A moment of the clock is what is meant: no event of the command stands for it.
            threading.Event().wait(chance.uniform(0.1, 2))
            running.process.kill()
            running.ended()
        assert check_nothing_half_written(command)[0] == first.run_id
        assert command.latest().same() == first.same() == undisturbed
    check_as_undisturbed(command, words, undisturbed)


def test_who_sweeps_up_removes_before_it_says_so(fresh_engine: Engine, tmp_path: Path) -> None:
    """Else one who is killed in between would leave a folder that nobody looks for any more."""
    august = Period(date(2026, 8, 1), date(2026, 8, 31))
    dead = runs.start(fresh_engine, "run", ("ap_1",), august, tmp_path)
    left = [tmp_path / dead, tmp_path / f".{dead}.writing"]
    for folder in left:
        folder.mkdir()
        (folder / "matched.csv").write_text("half")
    with ThreadPoolExecutor(1) as sweeper, fresh_engine.connect() as other:
        other.execute(text("lock table runs in exclusive mode"))
        swept = sweeper.submit(runs.sweep, fresh_engine, ("ap_1",))
        deadline = time.monotonic() + 20
        while any(folder.exists() for folder in left) and time.monotonic() < deadline:
            assert not swept.done()
        assert not any(folder.exists() for folder in left)
        assert other.execute(text("select state from runs")).scalar_one() == "running"
        other.rollback()
        swept.result()
        assert other.execute(text("select state from runs")).scalar_one() == "failed"


def the_end(command: Command) -> tuple[str, str]:
    """State and error of the newest run, as `reconcile show` tells them."""
    newest = next(iter(states(command)))
    state, error, *_ = command.good("show", newest).out.splitlines()
    return state.rpartition(", ")[2], error


def test_a_disk_that_is_full(
    small_shop: Shop,
    make_command: MakeCommand,
    database_url: str,
    words: tuple[str, ...],
    undisturbed: dict[str, str],
) -> None:
    """It is told as what it is, and where, and leaves nothing behind."""
    merchant, sandbox = small_shop
    command = make_command(sandbox, RECONCILE_DATABASE_URL=database_url)
    merchant.write_ledger(command.folder / "ledger.csv")
    outcome = command.limited(16 << 10, *words)
    says = "reports: File too large: free space and start again"
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint == f"reconcile: {says}"
    assert the_end(command) == ("failed", says)
    assert list((command.folder / "reports").iterdir()) == []
    # And a small disk itself, where one may be mounted.
    if (ended := command.on_disk("reports", *words)) is not None:
        says = "reports: No space left on device: free space and start again"
        assert (ended.code, ended.out) == (1, "")
        assert ended.complaint == f"reconcile: {says}"
        assert the_end(command) == ("failed", says)
    command.good(*words)
    assert command.latest().same() == undisturbed


def test_the_disk_of_the_database_is_full(fresh_engine: Engine) -> None:
    full = (
        "do $$ begin raise exception using errcode = 'disk_full',"
        " message = 'could not extend file \"base/1/2\": No space left on device'; end $$"
    )
    with fresh_engine.connect() as connection, pytest.raises(DBAPIError) as raised:
        connection.exec_driver_sql(full)
    says = str(runs.mishap(raised.value))
    assert says.startswith("the database's disk is full (could not extend file")
    assert says.endswith(": free space and start again")
    assert runs.mishap(ValueError("no such thing")) is None


def test_a_database_that_goes_away(
    small_shop: Shop,
    command: Command,
    words: tuple[str, ...],
    make_database: Callable[[], str],
    undisturbed: dict[str, str],
) -> None:
    """With the run, which the next one finds, or only its connections."""
    url = make_database()
    admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    for settings in ({}, {"RECONCILE_DATABASE_URL": url}):
        hold = Hold("/transaction?")
        with gate(small_shop[1], hold) as held:
            changes = {"KSPAY_BASE_URL": held.base_url, **settings}
            with command.start(*words, **changes) as running:
                assert hold.held.wait(60)
                if settings:
                    with admin.connect() as connection:
                        connection.exec_driver_sql(
                            "select pg_terminate_backend(pid) from pg_stat_activity"
                            " where datname = current_database() and pid <> pg_backend_pid()"
                        )
                else:
                    (server,) = command.postmasters()
                    os.kill(server, signal.SIGKILL)
                hold.go.set()
                outcome = running.ended()
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.complaint.startswith("reconcile: the database went away (")
        assert outcome.complaint.endswith(": when it is back, start it again")
        command.settings |= settings
        assert the_end(command) == ("failed", outcome.complaint.removeprefix("reconcile: "))
        command.good(*words)
        assert command.latest().same() == undisturbed


def test_a_run_that_prefect_ends(fresh_engine: Engine, tmp_path: Path) -> None:
    """What is raised then is no error of ours."""
    from prefect.exceptions import TerminationSignal  # takes 2 s, which every process of the tests would pay

    august = Period(date(2026, 8, 1), date(2026, 8, 31))
    for how in (SystemExit(0), TerminationSignal(signal.SIGTERM), KeyboardInterrupt()):
        run = runs.start(fresh_engine, "run", ("ap_9",), august, None)
        with pytest.raises(type(how)), runs.failing(fresh_engine, run, tmp_path):
            raise how
        assert runs.one(fresh_engine, run).error == "stopped before it was done"


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("start", signal.SIGTERM),
        ("start", signal.SIGINT),
        ("ledger", signal.SIGINT),
        ("page", signal.SIGTERM),
        ("page", signal.SIGHUP),
    ],
)
def test_asked_to_stop(
    small_shop: Shop,
    command: Command,
    words: tuple[str, ...],
    undisturbed: dict[str, str],
    number: signal.Signals,
    moment: str,
) -> None:
    hold = Hold("/transaction?")
    if moment == "start":
        shutil.rmtree(command.home)
    with gate(small_shop[1], hold) as held:
        with command.start(*words, KSPAY_BASE_URL=held.base_url) as running:
            if moment == "start":
                # While the embedded database is being made.
                while not (command.home / "postgres.new").exists():
                    assert running.process.poll() is None
            elif moment == "ledger":
                running.wait_for("ledger: ")
            else:
                assert hold.held.wait(60)
            asked = time.monotonic()
            os.killpg(running.process.pid, number)  # as a terminal does with Ctrl-C, or when it is closed
            outcome = running.ended(60)
            assert time.monotonic() - asked < 20
        hold.go.set()
    # 130 is what a shell makes of Ctrl-C; each signal may have its own such code.
    assert outcome.code in (130, 128 + number)
    assert outcome.out == ""
    assert command.postmasters() == []
    assert list((command.folder / "reports").glob("*")) == []
    known = set(states(command).values())
    assert known == {"failed"} if moment == "page" else known <= {"failed"}
    assert "stopped" in outcome.complaint
    command.good(*words)
    assert command.latest().same() == undisturbed
