"""The flow of the deployments `nightly` and `on-demand`: the composition of reconcile.pipeline, each stage a task.

It has two ways in. A worker calls `reconcile_period` for a deployment of prefect.yaml; the command
`reconcile run` calls `as_flow_run` when PREFECT_API_URL is set. No row passes through Prefect: tasks
keep no results, and what a run did stands in our own run table, whatever Prefect's page says.
"""

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.form import (
    AllowField,
    AppsField,
    FirstDayField,
    HoursField,
    LastDayField,
    LedgerField,
    OutField,
    ProfileField,
    SnapshotField,
    StrictField,
    WaitField,
    period_of,
)
from flows.page import ended, show, tell_skipped
from flows.shared import (
    FETCH_RETRY_SECONDS,
    PREFECT_ERRORS,
    PageLog,
    as_task,
    deployed,
    inside,
    one_line,
    out_folder,
    report_stands,
    reported,
    with_database,
)
from flows.workers import task_runner, workers_of
from reconcile import pipeline
from reconcile.core.errors import ReconcileError, UsageError
from reconcile.core.progress import Progress
from reconcile.notify import RUN, link_to, standing, tell_of
from reconcile.pipeline import Finished, MadeUpFor, PartlyDone, Request
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import check_allowed


@dataclass
class _Command:
    """The command that runs the flow in its own process: what it hands over, and what it gets back."""

    settings: Settings
    request: Request
    progress: Progress
    finished: Finished | None = None
    error: BaseException | None = None


_command: ContextVar[_Command | None] = ContextVar("_command", default=None)


def _run_name() -> str:
    asked = flow_run.get_parameters()
    days = [str(asked.get(name) or "") for name in ("from_date", "to_date")]
    return " to ".join(day or "?" for day in days) if any(days) else "since the last run"


# Parameters are checked by ourselves, so that a wrong one is refused in the same words as by the command.
@flow(
    name="reconcile-period",
    flow_run_name=_run_name,
    task_runner=task_runner(),
    validate_parameters=False,
    persist_result=False,
)
def reconcile_period(
    from_date: FirstDayField = "",
    to_date: LastDayField = "",
    ledger: LedgerField = "",
    profile: ProfileField = "",
    apps: AppsField = (),
    snapshot: SnapshotField = False,
    allow: AllowField = (),
    strict: StrictField = False,
    wait: WaitField = True,
    out: OutField = "",
    time_limit_hours: HoursField = 0,
) -> State[None]:
    """Reconcile KS Pay with the ledger for a period, and write the report files.

    Leave both dates empty to take everything since the last finished run, up to the last full day.

    Args:
        from_date: First day of the period, as 2026-08-01. Give both days or neither.
        to_date: Last day of the period, included, and not in the future. Ages are counted from it.
        ledger: Path of the ledger file on the worker's machine, inside RECONCILE_LEDGER_ROOT. Empty: RECONCILE_LEDGER,
            else what was imported before.
        profile: Name of a [ledger.NAME] of reconcile.toml that says how to read the file. Usually empty.
        apps: Only these apps. Empty: all.
        snapshot: The ledger is complete for its days: withdraw earlier entries of these days that it lacks.
        allow: Use the data although these expectations block it. The permission is recorded.
        strict: End as failed if a discrepancy above info is open. The report is written all the same.
        wait: If another run is at work, wait for its end instead of failing.
        out: Folder for the report files on the worker's machine, inside RECONCILE_OUT_ROOT. Empty: that
            folder, else the folder reports.
        time_limit_hours: After so many hours the run is stopped and failed. 0: never.
    """
    command = _command.get()
    if command is not None:
        return _of_command(command, strict=strict)

    def work(settings: Settings) -> State[None]:
        request = Request(
            period=period_of(from_date, to_date),
            # A field of Prefect's form that was filled and emptied again holds an empty text.
            ledger=inside(settings.ledger_root, "ledger", ledger, "RECONCILE_LEDGER_ROOT")
            if ledger
            else None,
            profile=profile or None,
            out=out_folder(settings, out),
            wait=wait,
            allow=check_allowed(allow or (), settings),
            snapshot=snapshot,
            apps=tuple(apps or ()),
            due=_due() if not (from_date or to_date) else None,
        )
        log = PageLog()
        stage = as_task(log, FETCH_RETRY_SECONDS)
        try:
            finished = with_database(
                lambda: pipeline.reconcile_period(
                    settings, request, stage=stage, progress=log, workers=workers_of(settings)
                )
            )
        except MadeUpFor as skipped:
            with log.prefect_failures_as_warnings():
                tell_skipped(skipped.run_id)
            return Completed(name="Skipped", message=str(skipped))
        except PartlyDone as error:
            report_stands()
            with standing(error.finished):
                show(error.finished, settings, log)
            page = error.finished.folder / "report.html"
            raise PartlyDone(error.failed, error.finished, link_to(page, settings)) from None
        report_stands()
        with standing(finished):
            tell_of(finished, settings, log, strict=strict)
            show(finished, settings, log)
        return ended(finished, settings, strict=strict)

    return deployed(work, time_limit_hours, called=RUN)


def _of_command(command: _Command, *, strict: bool) -> State[None]:
    log = PageLog(command.progress)
    try:
        # The command promises to give up after RECONCILE_GIVE_UP_SECONDS, so it does not fetch again.
        finished = reported(
            lambda: pipeline.reconcile_period(
                command.settings,
                command.request,
                stage=as_task(log),
                progress=log,
                workers=workers_of(command.settings),
            )
        )
    except BaseException as error:
        command.error = error
        if isinstance(error, PartlyDone):
            show(error.finished, command.settings, log)
        if isinstance(error, ReconcileError):
            return Failed(message=str(error))
        raise
    command.finished = finished
    show(finished, command.settings, log)
    return ended(finished, command.settings, strict=strict)


def _due() -> datetime | None:
    """When this run was due, if a schedule began it."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run.expected_start_time if run is not None and run.auto_scheduled else None


def as_flow_run(
    settings: Settings, request: Request, progress: Progress, *, strict: bool = False
) -> Finished:
    """Run the flow in this process, as a flow run of the Prefect server that PREFECT_API_URL names.

    Raises the errors of the composition, and UsageError if that server does not answer. Once it has
    answered, its troubles change nothing about the outcome: what our own database says is what counts.
    """
    _check_server()
    # Prefect's page has these lines; on the terminal our own progress is enough.
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).propagate = False
    command = _Command(settings, request, progress)
    token = _command.set(command)
    try:
        reconcile_period(**_parameters(request), strict=strict, return_state=True)
    except PREFECT_ERRORS as error:
        if command.error is None and command.finished is None:
            raise ReconcileError(
                f"Prefect failed before the run began, so nothing was done: {one_line(error)}; "
                "see to its server, or unset PREFECT_API_URL"
            ) from error
        progress("prefect", f"its page does not show the end of this run: {one_line(error)}", None)
    finally:
        _command.reset(token)
    if command.error is not None:
        raise command.error
    if command.finished is None:
        raise ReconcileError("Prefect's server refused to let this run begin; its page says why")
    return command.finished


def _parameters(request: Request) -> dict[str, Any]:
    """What the page shows of a run that the command began."""
    period = request.period
    return {
        "from_date": str(period.first) if period else "",
        "to_date": str(period.last) if period else "",
        "ledger": str(request.ledger or ""),
        "profile": request.profile or "",
        "apps": list(request.apps),
        "snapshot": request.snapshot,
        "allow": sorted(request.allow),
        "wait": request.wait,
        "out": str(request.out),
    }


def _check_server() -> None:
    try:
        with get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
    except (RuntimeError, httpx.HTTPError) as error:
        raise UsageError(
            f"PREFECT_API_URL: {one_line(error)}: start that Prefect server or correct the address; "
            "without PREFECT_API_URL the run needs no Prefect"
        ) from None
