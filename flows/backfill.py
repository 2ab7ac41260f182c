"""The flow of the deployment `backfill`: a long history, month by month, each month a task.

A month that a finished run covers is passed over, so a backfill that was stopped goes on where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from prefect import Task, flow
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.form import (
    AppsField,
    HoursField,
    LastDayField,
    LedgerField,
    OutField,
    ProfileField,
    StartField,
    day_of,
)
from flows.shared import FETCH_RETRY_SECONDS, PageLog, as_task, deployed, inside, out_folder, with_database
from flows.summary import one_line
from flows.workers import DaskWorkers, task_runner, workers_of
from reconcile import pipeline
from reconcile.core.errors import ReconcileError, TimeIsUp, UsageError
from reconcile.core.periods import check_period, last_closed_day
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.core.wording import counted
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.pipeline import EarlyFailures, Finished, PartlyDone, Request
from reconcile.settings import Settings

COVERED = "covered before"
"""What the table says of a month that a finished run covers already."""


@flow(
    name="backfill",
    flow_run_name="backfill from {from_date}",
    task_runner=task_runner(),
    validate_parameters=False,
    persist_result=False,
)
def backfill(
    from_date: StartField,
    to_date: LastDayField = "",
    ledger: LedgerField = "",
    profile: ProfileField = "",
    apps: AppsField = (),
    out: OutField = "",
    time_limit_hours: HoursField = 0,
) -> State[None]:
    """Reconcile a long history, one calendar month after another, each with a report of its own.

    Months that a finished run covers already are passed over. Start it again after a failure: it goes on there.

    Args:
        from_date: First day of the history, as 2026-01-01.
        to_date: Last day, included. Empty: the last full day.
        ledger: Path of the ledger on the worker's machine, inside RECONCILE_LEDGER_ROOT. It is read before the first
            month. Empty: RECONCILE_LEDGER, else what was imported before.
        profile: Name of a [ledger.NAME] of reconcile.toml that says how to read the file. Usually empty.
        apps: Only these apps. Empty: all.
        out: Folder for the report files on the worker's machine, inside RECONCILE_OUT_ROOT. Empty: that
            folder, else the folder reports.
        time_limit_hours: After so many hours it is stopped and failed. 0: never.
    """

    def work(settings: Settings) -> State[None]:
        first, last = day_of("from_date", from_date), day_of("to_date", to_date)
        if first is None:
            raise UsageError("from_date is empty: it names the first day of the history")
        last = last or last_closed_day(datetime.now(UTC), settings.timezone)
        if first > last:
            raise UsageError(f"from_date {first} is after to_date {last}")
        check_period(Period(first, last), settings.timezone)
        asked = months(first, last)
        folder = out_folder(settings, out)
        book = inside(settings.ledger_root, "ledger", ledger, "RECONCILE_LEDGER_ROOT") if ledger else None
        log = PageLog()
        done: list[dict[str, str]] = []
        try:
            _each(
                settings,
                Request(None, book, profile or None, folder, wait=True, apps=tuple(apps or ())),
                asked,
                done,
                log,
            )
        except TimeIsUp as error:
            stand = f"{len(done)} of {len(asked)} months stand, start it again for the others"
            raise TimeIsUp(error.hours, stand) from None
        finally:
            with log.prefect_failures_as_warnings():
                create_table_artifact(done, key="backfill", description=f"{first} to {last}")
        if parts := [f"{row['month']} for {row['failed']}" for row in done if row["failed"]]:
            raise ReconcileError(
                f"{counted(len(done), 'month')}, {len(parts)} of them not whole: {'; '.join(parts)} failed. "
                "The reports of the others stand: start it again"
            )
        ran = sum(row["run"] != COVERED for row in done)
        return Completed(
            message=f"{counted(len(done), 'month')}, {ran} of them reconciled now, {len(done) - ran} before"
        )

    return deployed(work, time_limit_hours)


def months(first: date, last: date) -> list[Period]:
    """The calendar months of a period; the first and the last may be parts of one."""
    starts = [first]
    while (start := (starts[-1].replace(day=1) + timedelta(days=32)).replace(day=1)) <= last:
        starts.append(start)
    return [
        Period(begins, ends - timedelta(days=1))
        for begins, ends in pairwise([*starts, last + timedelta(days=1)])
    ]


def _each(
    settings: Settings, request: Request, asked: Sequence[Period], done: list[dict[str, str]], log: PageLog
) -> None:
    """Reconcile each of the months that no run covers, and note it when it stands. If some apps of a month fail, the
    report of the others stands, and the next month is reconciled all the same."""
    with _fetching_ahead(settings, request.apps) as (workers, begin):
        for number, month in enumerate(asked):
            if _is_covered(settings, month, request.apps):
                done.append({"month": str(month), "run": COVERED, "open": "", "failed": ""})
                continue
            begin(asked[number:])
            failed = ""
            try:
                finished = _as_task(settings, replace(request, period=month), log, workers)
            except PartlyDone as error:
                finished, failed = error.finished, ", ".join(error.failed.errors)
                log.logger.warning("%s", error)
            log.logger.info("%s", one_line(finished, settings))
            opened = sum(row["count"] for row in finished.report["open"])
            done.append(
                {"month": str(month), "run": finished.run_id, "open": f"{opened:,}", "failed": failed}
            )
            request = replace(request, ledger=None)  # it is imported now


@contextmanager
def _fetching_ahead(
    settings: Settings, apps: AppsField
) -> Iterator[tuple[DaskWorkers | None, Callable[[Sequence[Period]], None]]]:
    """The workers that fetch, if there are any, and what lets them begin the months that come next, while those before
    are matched and reported here."""
    workers = workers_of(settings)
    if workers is None:
        yield None, lambda _: None
        return
    app_ids = [app.app_id for app in settings.kspay_apps(apps)]
    with open_store(settings) as engine:

        def begin(months: Sequence[Period]) -> None:
            room = 1 + -(-workers.at_once() // len(app_ids))
            for month in months[:room]:
                if not _is_covered(settings, month, apps):
                    workers.begin(settings, engine, month, app_ids)

        try:
            yield workers, begin
        finally:
            workers.give_up()


def _as_task(settings: Settings, request: Request, log: PageLog, workers: DaskWorkers | None) -> Finished:
    """A month, as a task of its name; its stages are tasks within it."""
    task: Task[[], Finished] = Task(
        lambda: with_database(
            lambda: pipeline.reconcile_period(
                settings,
                request,
                stage=as_task(log, FETCH_RETRY_SECONDS),
                progress=log,
                workers=workers,
            )
        ),
        name="month",
        task_run_name=str(request.period),
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    return task()


def _is_covered(settings: Settings, month: Period, apps: AppsField) -> bool:
    """Whether finished runs cover all days of the month, for each of the apps."""
    days = {month.first + timedelta(days=n) for n in range((month.last - month.first).days + 1)}
    app_ids = tuple(app.app_id for app in settings.kspay_apps(apps))

    def look() -> bool:
        with open_store(settings) as engine:
            return all(
                all(any(period.first <= day <= period.last for period in covered) for day in days)
                for covered in (runs.covered(engine, app_id) for app_id in app_ids)
            )

    with EarlyFailures(settings, app_ids, month, silent).noted():
        return with_database(look)
