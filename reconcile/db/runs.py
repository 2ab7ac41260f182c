"""The table `runs`: which runs were started, finished or failed, and why. Files on disk never decide this."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile.core.errors import DISK_FULL, Busy, DatabaseLost, DiskFull, ReconcileError, Stopped, UsageError
from reconcile.core.records import Period
from reconcile.core.writing import unwritten
from reconcile.db import failures
from reconcile.db.locks import app_locks
from reconcile.db.sql_files import read_sql


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One row of the run table."""

    run_id: str
    command: str
    apps: list[str]
    period_first: date
    period_last: date
    state: str  # running, finished, failed
    started_at: datetime
    finished_at: datetime | None
    folder: str | None
    error: str | None
    report: Mapping[str, Any] | None  # the run.json of a finished run


def start(engine: Engine, command: str, app_ids: tuple[str, ...], period: Period, out: Path | None) -> str:
    """Record a new run and give it its id: the period, and the number of the run of that period.

    A number is skipped if its folder exists in `out` already: another database wrote it.
    """
    number = 0
    with engine.begin() as connection:
        while True:
            number += 1
            run_id = f"{period.first}_{period.last}_{number}"
            folder = None if out is None else str((out / run_id).absolute())
            if out is not None and (out / run_id).exists():
                continue
            if _insert(connection, run_id, command, app_ids, period, folder):
                return run_id


def start_trial(connection: Connection, run_id: str, app_ids: Sequence[str], period: Period) -> None:
    """Record a run in the caller's transaction, which the caller rolls back: a trial of what a run would find."""
    connection.execute(
        text(read_sql("db/start_trial")),
        {"run_id": run_id, "apps": list(app_ids), "first": period.first, "last": period.last},
    )


def _insert(
    connection: Connection,
    run_id: str,
    command: str,
    app_ids: Sequence[str],
    period: Period,
    folder: str | None,
) -> bool:
    """Whether the run is recorded now; False if another run has this id."""
    values = {
        "run_id": run_id,
        "command": command,
        "apps": list(app_ids),
        "first": period.first,
        "last": period.last,
        "folder": folder,
    }
    return bool(connection.execute(text(read_sql("db/start_run")), values).rowcount)


def note_failure(
    engine: Engine, command: str, app_ids: Sequence[str], period: Period, error: ReconcileError
) -> None:
    """Record a run that failed before it began, or the part of it that is about these apps.

    It takes no number of those that have reports.
    """
    for number in count(1):
        run_id = f"{period.first}_{period.last}_failed_{number}"
        with engine.begin() as connection:
            if _insert(connection, run_id, command, app_ids, period, None):
                _fail(connection, [run_id], str(error))
                return


def leave_out(engine: Engine, run_id: str, app_ids: Sequence[str]) -> None:
    """From now on the run is only about these of its apps."""
    with engine.begin() as connection:
        connection.execute(
            text("update runs set apps = :apps where run_id = :run_id"),
            {"apps": list(app_ids), "run_id": run_id},
        )


def finish(connection: Connection, run_id: str, report: Mapping[str, Any]) -> None:
    """Mark the run finished, in the caller's transaction."""
    connection.execute(
        text(read_sql("db/finish_run")),
        {"run_id": run_id, "report": json.dumps(report, default=str)},
    )


@contextmanager
def failing(engine: Engine, run_id: str, home: Path) -> Iterator[None]:
    """Record why the run failed, if it does, and let the error go on."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, ReconcileError | Stopped):
            reason = str(error)
        elif not isinstance(error, Exception):  # as Prefect ends a run that is cancelled
            reason = str(Stopped(0))
        else:
            reason = str(mishap(error) or f"a fault of ours: {type(error).__name__}")
        try:
            with engine.begin() as connection:
                _fail(connection, [run_id], reason)
        except DBAPIError:  # it is away, and whoever sweeps records how this run ended
            with suppress(ReconcileError):
                failures.keep_loss(home, run_id, reason)
        raise


def _fail(connection: Connection, run_ids: Sequence[str], error: str) -> None:
    connection.execute(text(read_sql("db/fail_runs")), {"run_ids": list(run_ids), "error": error})


def mishap(error: BaseException) -> ReconcileError | None:
    """The error to report for a failure that is no fault of ours: a full disk, too few locks, a database that is gone.

    None for any other failure.
    """
    cause: BaseException | None = error
    while cause is not None:
        driver = cause.orig if isinstance(cause, DBAPIError) else cause
        words = next(iter(str(driver).splitlines()), "")  # what follows are hints
        state = getattr(driver, "sqlstate", None)
        if isinstance(cause, OSError) and cause.errno in DISK_FULL:
            return unwritten(cause.filename or "the disk", cause)
        if state == _DISK_FULL or "could not extend file" in words:
            return DiskFull(f"the database's disk is full ({words}): free space and start again")
        # The server may speak another language, which does not translate the names of settings.
        hint = getattr(getattr(driver, "diag", None), "message_hint", None) or ""
        if state == _OUT_OF_MEMORY and "max_locks_per_transaction" in hint:
            return ReconcileError(
                "the database has room for too few locks: set max_locks_per_transaction of its server higher "
                "(docs/growing.md), start the server again, then this"
            )
        if _is_lost(cause, driver, state):
            return DatabaseLost(f"the database went away ({words}): when it is back, start it again")
        # What was raised `from None` says all there is to say.
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return None


_DISK_FULL = "53100"  # as Postgres says it
_OUT_OF_MEMORY = "53200"
_SHUT_DOWN = ("57P01", "57P02", "57P03")


def _is_lost(error: BaseException, driver: object, state: str | None) -> bool:
    from psycopg import OperationalError  # slow to import, and imported already where the error was raised

    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # Without a state the error is not the server's answer: the connection itself failed.
    return isinstance(driver, OperationalError) and (state is None or state in _SHUT_DOWN)


def sweep(engine: Engine, app_ids: tuple[str, ...]) -> None:
    """Mark runs whose process died as failed, and remove the files they left. The caller holds the apps' locks.

    A run that is marked running on one of these apps is dead, since it does not hold the lock. Files go first: if
    this process is killed in between, the next sweep finds the run still marked and does the rest.
    """
    with engine.connect() as connection:
        dead = connection.execute(
            text("select run_id, folder from runs where state = 'running' and apps && :apps"),
            {"apps": list(app_ids)},
        ).all()
    for run_id, folder in dead:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(Path(folder).parent / f".{run_id}.writing", ignore_errors=True)
    with engine.begin() as connection:
        _fail(connection, [run_id for run_id, _ in dead], failures.ENDED_WITHOUT_A_MESSAGE)


def sweep_dead(engine: Engine) -> None:
    """Sweep every run that is marked running and whose locks are free: its process is gone."""
    with engine.connect() as connection:
        running = (
            connection.execute(text("select distinct apps from runs where state = 'running'")).scalars().all()
        )
    for app_ids in running:
        with suppress(Busy), app_locks(engine, app_ids, wait=False):
            sweep(engine, tuple(app_ids))


def is_finished(engine: Engine, run_id: str) -> bool:
    """Whether this run is marked finished."""
    with engine.connect() as connection:
        state: str | None = connection.scalar(
            text("select state from runs where run_id = :run_id"), {"run_id": run_id}
        )
    return state == "finished"


def is_at_work(engine: Engine, app_id: str, period: Period) -> bool:
    """Whether a run of this app for this period is marked as running."""
    with engine.connect() as connection:
        found = connection.scalar(
            text(read_sql("db/is_at_work")),
            {"app_id": app_id, "first": period.first, "last": period.last},
        )
    return bool(found)


def last_finished_day(engine: Engine, app_id: str) -> date | None:
    """The newest as-of day of a finished run of this app."""
    return max((period.last for period in covered(engine, app_id)), default=None)


def covered(engine: Engine, app_id: str) -> list[Period]:
    """The periods of the finished runs of this app."""
    with engine.connect() as connection:
        rows = connection.execute(text(read_sql("db/covered_periods")), {"app_id": app_id})
        return [Period(first, last) for first, last in rows.tuples()]


def made_up_for(engine: Engine, app_ids: Sequence[str], period: Period, due: datetime) -> str | None:
    """The finished run of these apps that began after `due`, is as of the same day and holds the whole period, if there
    is one."""
    with engine.connect() as connection:
        found: str | None = connection.scalar(
            text(read_sql("db/made_up_for")),
            {"apps": list(app_ids), "first": period.first, "as_of": period.last, "due": due},
        )
    return found


def listed(engine: Engine, limit: int) -> list[RunRecord]:
    """The newest runs first."""
    with engine.connect() as connection:
        rows = connection.execute(text(read_sql("db/runs")), {"limit": limit})
        return [RunRecord(**row) for row in rows.mappings()]


def by_app(engine: Engine) -> list[Mapping[str, Any]]:
    """How the runs of each app ended, with the run.json of the newest finished one."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(read_sql("db/metrics"))).mappings()]


def windows(engine: Engine, run_id: str) -> list[Mapping[str, Any]]:
    """What a run fetched: the rows of fetched_windows."""
    with engine.connect() as connection:
        rows = connection.execute(
            text('select * from fetched_windows where run_id = :run_id order by app_id collate "C", number'),
            {"run_id": run_id},
        )
        return [dict(row) for row in rows.mappings()]


def one(engine: Engine, run_id: str) -> RunRecord:
    """The run of this id; `latest` is the newest finished one of the newest as-of day.

    Raises UsageError if there is none.
    """
    with engine.connect() as connection:
        found = connection.execute(text(read_sql("db/run")), {"run_id": run_id})
        row = found.mappings().one_or_none()
    if row is None and run_id == "latest":
        raise UsageError("no run is finished yet: reconcile run makes the first")
    if row is None:
        raise UsageError(f"no run {run_id} is known here: reconcile runs lists those that are")
    return RunRecord(**row)
