"""Failures that were kept in files while the database was away: each is one row, whoever takes them in, and when."""

import json
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reconcile.core.records import Period
from reconcile.db import failures, runs
from reconcile.db.engine import open_store
from reconcile.settings import Settings

AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))


@pytest.fixture
def url(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=url, home=tmp_path / "home")


def listed(settings: Settings) -> list[runs.RunRecord]:
    """All rows, the oldest first."""
    with open_store(settings) as engine:
        return runs.listed(engine, 1_000)[::-1]


def keep(home: Path, error: str) -> None:
    failures.keep_failure(home, "run", ["ap_1", "ap_2"], AUGUST, error)


def test_a_kept_failure_is_a_row_of_its_time(settings: Settings) -> None:
    before = datetime.now(UTC)
    keep(settings.home, "the ledger: “not” there")
    after = datetime.now(UTC)
    [path] = failures.left(settings.home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    [row] = listed(settings)
    assert row.run_id.startswith("2026-08-01_2026-08-31_failed_")
    assert (row.command, row.apps, row.state) == ("run", ["ap_1", "ap_2"], "failed")
    assert (row.error, row.folder, row.report) == ("the ledger: “not” there", None, None)
    assert row.finished_at is not None
    assert before <= row.started_at == row.finished_at <= after
    assert list(path.parent.iterdir()) == []


def test_several_that_take_in_at_the_same_moment(settings: Settings) -> None:
    for number in range(20):
        keep(settings.home, f"failure {number}")
    together = threading.Barrier(4)

    def take_in(_: int) -> None:
        with open_store(Settings(database_url=settings.database_url, home=settings.home / "other")) as engine:
            together.wait(60)
            failures.take_in(engine, settings.home)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take_in, range(4)))
    assert [row.error for row in listed(settings)] == [f"failure {number}" for number in range(20)]
    assert failures.left(settings.home) == []


def test_one_that_is_killed_before_it_removed_the_files(settings: Settings) -> None:
    """Then the next one finds files whose rows are there."""
    keep(settings.home, "once")
    shutil.copytree(settings.home, settings.home.with_name("copy"))
    assert [row.error for row in listed(settings)] == ["once"]
    shutil.copytree(settings.home.with_name("copy"), settings.home, dirs_exist_ok=True)
    assert [row.error for row in listed(settings)] == ["once"]
    assert failures.left(settings.home) == []


def test_the_newest_are_kept_and_the_others_are_counted(settings: Settings) -> None:
    more = 130
    for number in range(failures.KEPT + more):
        keep(settings.home, f"failure {number}")
    assert len(failures.left(settings.home)) == failures.KEPT
    rows = [row.error for row in listed(settings)]
    assert rows[0] == f"failure {more} ({more} failures before this one left no row)"
    assert rows[1:] == [f"failure {number}" for number in range(more + 1, failures.KEPT + more)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b'"text"',
        b'{"error": "half',
        b'{"error": "no run", "dropped": 0}',
        # What the database does not take: a period that ends before it begins.
        json.dumps(
            {
                "run_id": "2026-08-31_2026-08-01_failed_1",
                "error": "e",
                "command": "run",
                "apps": [],
                "first": "2026-08-31",
                "last": "2026-08-01",
                "at": "2026-09-01T00:00:00+00:00",
                "dropped": 0,
            }
        ).encode(),
    ],
)
def test_what_cannot_be_read_stays_and_is_told(settings: Settings, content: bytes) -> None:
    keep(settings.home, "before")
    path = failures.left(settings.home)[0].with_name("20260101T000000000000-00000000.json")
    path.write_bytes(content)
    assert [row.error for row in listed(settings)] == ["before"]
    assert path.read_bytes() == content
    [told] = failures.untaken(settings.home)
    assert told.startswith(f"{path}: ")


def begin(engine: Engine, tmp_path: Path) -> str:
    """A run that lost its database, which keeps why."""
    run_id = runs.start(engine, "run", ("ap_1",), AUGUST, tmp_path)
    folder = runs.one(engine, run_id).folder
    assert folder is not None
    Path(folder).mkdir()
    return run_id


def test_the_cause_of_a_loss_arrives_with_whoever_sweeps(settings: Settings, tmp_path: Path) -> None:
    with open_store(settings) as engine:
        run_id = begin(engine, tmp_path)
        failures.keep_loss(settings.home, run_id, "the database went away (gone)")
    [row] = listed(settings)
    # Its files are removed by who holds the lock of the app, and only then it is failed.
    assert (row.state, Path(row.folder or "").exists()) == ("running", True)
    with open_store(settings) as engine:
        runs.sweep_dead(engine)
    [row] = listed(settings)
    assert (row.state, row.error) == ("failed", "the database went away (gone)")
    assert not Path(row.folder or "").exists()


def test_the_cause_of_a_loss_arrives_after_another_home_swept(settings: Settings, tmp_path: Path) -> None:
    with open_store(settings) as engine:
        run_id = begin(engine, tmp_path)
        runs.sweep_dead(engine)
        assert runs.one(engine, run_id).error == failures.ENDED_WITHOUT_A_MESSAGE
    failures.keep_loss(settings.home, run_id, "the database went away (gone)")
    assert [(row.state, row.error) for row in listed(settings)] == [
        ("failed", "the database went away (gone)")
    ]


def test_a_run_that_was_finished_all_the_same_has_no_error(settings: Settings, tmp_path: Path) -> None:
    """The connection may be lost when the commit is done, or while it is being done."""
    with open_store(settings) as engine:
        late, done = begin(engine, tmp_path), begin(engine, tmp_path)
        for run_id in (late, done):
            failures.keep_loss(settings.home, run_id, "the database went away (gone)")
        with engine.begin() as connection:
            runs.finish(connection, done, {})
        failures.take_in(engine, settings.home)
        assert (runs.one(engine, late).state, runs.one(engine, late).error is None) == ("running", False)
        with engine.begin() as connection:
            runs.finish(connection, late, {})
    assert [(row.state, row.error) for row in listed(settings)] == [("finished", None)] * 2
