"""The Prefect flow: the composition of reconcile.pipeline with each stage as a task. Retries and artifacts live here.

It has two ways in. A worker calls `reconcile_period` for a deployment of prefect.yaml; the command
`reconcile run` calls `as_flow_run` when PREFECT_API_URL is set. No row passes through Prefect: tasks
keep no results, and what a run did stands in our own run table, whatever Prefect's page says.
"""

import logging
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import httpx
from prefect import Task, flow, get_client, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.exceptions import FailedRun, PrefectException
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.summary import one_line, summary
from reconcile import pipeline
from reconcile.core.errors import DatabaseLost, DatabaseUnreachable, ReconcileError, UsageError
from reconcile.core.progress import Progress
from reconcile.core.records import Period
from reconcile.db.runs import mishap
from reconcile.kspay.errors import CallError
from reconcile.notify import address_of, telling
from reconcile.pipeline import Finished, Request, Stage
from reconcile.settings import Settings
from reconcile.validate_all import write_docs_of_held

T = TypeVar("T")

FETCH_RETRY_SECONDS = (60, 300, 900)
"""Waits before a deployed run fetches again, after RECONCILE_GIVE_UP_SECONDS of trying gave nothing."""

DATABASE_RETRY_SECONDS = (30, 60, 300, 900)
"""Waits before a deployed run begins again, after its database did not answer or went away in the middle."""

LOG_SECONDS = 15
"""How often a stage that is at work gets another line in the run's log."""


@dataclass
class _Command:
    """The command that runs the flow in its own process: what it hands over, and what it gets back."""

    settings: Settings
    request: Request
    progress: Progress
    finished: Finished | None = None
    error: BaseException | None = None


def _in_one_line(record: logging.LogRecord) -> bool:
    """Let a run's log show what went wrong as the command does: one line, no traceback unless it is a fault."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ReconcileError | FailedRun):
        record.msg, record.args, record.exc_info = str(error), (), None
    return True


for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_in_one_line)
# Great Expectations logs its temporary folders, and Prefect's set-up of logging would show it.
logging.getLogger("great_expectations.data_context.types.base").addFilter(
    lambda record: record.levelno >= logging.WARNING
)

_command: ContextVar[_Command | None] = ContextVar("_command", default=None)


def _run_name() -> str:
    asked = flow_run.get_parameters()
    days = [str(asked.get(name) or "") for name in ("from_date", "to_date")]
    return " to ".join(day or "?" for day in days) if any(days) else "since the last run"


# Parameters are checked by ourselves, so that a wrong one is refused in the same words as by the command.
@flow(name="reconcile-period", flow_run_name=_run_name, validate_parameters=False, persist_result=False)
def reconcile_period(
    from_date: date | None = None,
    to_date: date | None = None,
    ledger: str | None = None,
    profile: str | None = None,
    out: str = "reports",
    wait: bool = False,
) -> State[None]:
    """Reconcile KS Pay with the ledger for a period, and write the report files.

    Leave both dates empty to take everything since the last finished run, up to the last full day.

    Args:
        from_date: First day of the period, such as 2026-08-01. Give both dates or neither.
        to_date: Last day of the period, included. Ages are counted from it.
        ledger: Path of the ledger file on the worker's machine, inside RECONCILE_LEDGER_ROOT. Empty: RECONCILE_LEDGER,
            else what was imported before.
        profile: Name of a [ledger.NAME] of reconcile.toml that says how to read the file. Usually empty.
        out: Folder for the report files on the worker's machine, inside RECONCILE_OUT_ROOT.
        wait: If another run is at work, wait for its end instead of failing.
    """
    command = _command.get()
    try:
        if command is None:
            settings = Settings.read()
            request = _request(settings, from_date, to_date, ledger, profile, out, wait)
            progress = _logged()
            finished = telling(
                settings,
                progress,
                lambda: _with_database(
                    lambda: pipeline.reconcile_period(
                        settings, request, stage=as_task(FETCH_RETRY_SECONDS), progress=progress
                    )
                ),
            )
        else:
            # The command promises to give up after RECONCILE_GIVE_UP_SECONDS, so it does not fetch again.
            finished = _reported(
                lambda: pipeline.reconcile_period(
                    command.settings, command.request, stage=as_task(()), progress=_logged(command.progress)
                )
            )
            command.finished = finished
    except BaseException as error:
        if command is not None:
            command.error = error
        if isinstance(error, ReconcileError):
            return Failed(message=str(error))
        raise
    used = command.settings if command else settings
    _show(finished, used.report_url)
    _show_data_docs(used, finished)
    return Completed(message=one_line(finished))


def as_flow_run(settings: Settings, request: Request, progress: Progress) -> Finished:
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
        reconcile_period(**_parameters(request), return_state=True)
    except (httpx.HTTPError, PrefectException) as error:
        if command.error is None and command.finished is None:
            raise ReconcileError(
                f"Prefect failed before the run began, so nothing was done: {_one_line(error)}; "
                "see to its server, or unset PREFECT_API_URL"
            ) from error
        progress("prefect", f"its page does not show the end of this run: {_one_line(error)}", None)
    finally:
        _command.reset(token)
    if command.error is not None:
        raise command.error
    if command.finished is None:
        raise ReconcileError("Prefect's server refused to let this run begin; its page says why")
    return command.finished


def as_task(fetch_retry_seconds: Sequence[float]) -> Stage:
    """Run every stage as a task of its name; only the fetch is tried again, after these waits."""

    def stage(name: str, work: Callable[[], T], /) -> T:
        # Matching and report work inside one transaction, which a failure ends, and a ledger that
        # was refused stays refused. A fetch loads everything or nothing, so it can be repeated.
        waits = list(fetch_retry_seconds) if name == "fetch" else []
        task: Task[[], T] = Task(
            lambda: _reported(work),
            name=name,
            task_run_name=name,
            retries=len(waits),
            retry_delay_seconds=waits or None,
            retry_condition_fn=may_pass,
            cache_policy=NO_CACHE,
            persist_result=False,
        )
        return task()

    return stage


def _reported(work: Callable[[], T]) -> T:
    """Do the work. A full disk and a lost database become the error of one line that the command reports."""
    try:
        return work()
    except Exception as error:
        if (known := mishap(error)) is None:
            raise
        raise known from None


def _with_database(run: Callable[[], T]) -> T:
    """Run; and if the database does not answer or goes away, run again from the start when it may be back.

    What was fetched and imported before is kept, and the run that was cut off is marked as failed.
    """
    for wait in DATABASE_RETRY_SECONDS:
        try:
            return _reported(run)
        except (DatabaseLost, DatabaseUnreachable) as error:
            get_run_logger().warning("%s; the run begins again in %d seconds", error, wait)
            sleep(wait)
    return _reported(run)


def may_pass(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that time may cure: KS Pay unreachable, overloaded or broken."""
    return isinstance(state.data, CallError) and state.data.retryable


def deployment_values() -> dict[str, str]:
    """What prefect.yaml takes from the settings: where the runs work, and in which time zone nights end."""
    return {"folder": str(Path.cwd()), "timezone": Settings.read().timezone.key}


def _request(
    settings: Settings,
    from_date: object,
    to_date: object,
    ledger: str | None,
    profile: str | None,
    out: str,
    wait: bool,
) -> Request:
    first, last = _day("from_date", from_date), _day("to_date", to_date)
    period = None
    if first is not None or last is not None:
        if first is None or last is None:
            raise UsageError("from_date and to_date go together: give both, or neither")
        if first > last:
            raise UsageError(f"from_date {first} lies after to_date {last}")
        period = Period(first, last)
    # A field of Prefect's form that was filled and emptied again holds an empty text.
    return Request(
        period,
        _inside(settings.ledger_root, "ledger", ledger, "RECONCILE_LEDGER_ROOT") if ledger else None,
        profile or None,
        _inside(settings.out_root, "out", out or "reports", "RECONCILE_OUT_ROOT"),
        wait,
    )


def _inside(root: Path, parameter: str, path: str, variable: str) -> Path:
    """A path of Prefect's form, links resolved. Raises UsageError if it leads out of the folder that the settings name:
    whoever may use the page must not read or write wherever the worker may."""
    folder = root.resolve()
    try:
        found = (folder / path).resolve()
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL
        found = Path("/")
    if not found.is_relative_to(folder):
        raise UsageError(
            f"{parameter}: {path} is not in {folder}: give a path inside of it, or set {variable}"
        )
    return found


def _day(name: str, value: object) -> date | None:
    if value is None or value == "":
        return None
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise UsageError(f"{name}: {value!r} is no day of the calendar; write it as 2026-08-31") from None


def _parameters(request: Request) -> dict[str, Any]:
    """What the page shows of a run that the command began."""
    period = request.period
    return {
        "from_date": period.first if period else None,
        "to_date": period.last if period else None,
        "ledger": str(request.ledger) if request.ledger else None,
        "profile": request.profile,
        "out": str(request.out),
        "wait": request.wait,
    }


def _logged(further: Progress | None = None) -> Progress:
    """Write progress to the run's log, a line now and then."""
    # Taken here, once: a stage may report its progress from threads that know no run.
    logger = get_run_logger()
    last: dict[str, float] = {}

    def log(stage: str, doing: str, done: float | None, /) -> None:
        now = monotonic()
        if stage not in last or now - last[stage] >= LOG_SECONDS:
            last[stage] = now
            logger.info("%s: %s", stage, doing)
        if further is not None:
            further(stage, doing, done)

    return log


def _show(finished: Finished, report_url: str | None) -> None:
    """The artifact, the last line of the log, and a name that holds the period also where none was asked for."""
    get_run_logger().info("done: %s", one_line(finished))
    create_markdown_artifact(summary(finished), key="reconciliation", description=f"Run {finished.run_id}")
    if report_url:
        create_link_artifact(
            link=address_of(finished, report_url),
            link_text=f"The report of run {finished.run_id}",
            key="report",
            description="The page. The workbook and discrepancies.csv are beside it",
        )
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    with get_client(sync_client=True) as client:
        report = finished.report
        client.set_flow_run_name(context.flow_run.id, f"{report['from']} to {report['to']}")


def _show_data_docs(settings: Settings, finished: Finished) -> None:
    """Great Expectations' own pages beside the files of the run, and the artifact that links to them."""
    folder = finished.folder / "data-docs"
    try:
        write_docs_of_held(settings, folder)
    except ReconcileError as error:  # the run is done all the same
        get_run_logger().warning("no pages of Great Expectations: %s", error)
        return
    create_link_artifact(
        link=address_of(finished, settings.report_url, "data-docs/index.html")
        if settings.report_url
        else (folder / "index.html").resolve().as_uri(),
        link_text="What was demanded of the records, and what was found",
        key="data-docs",
        description=f"Great Expectations' pages of run {finished.run_id}",
    )


def _check_server() -> None:
    try:
        with get_client(sync_client=True) as client:
            client.raise_for_api_version_mismatch()
    except (RuntimeError, httpx.HTTPError) as error:
        raise UsageError(
            f"PREFECT_API_URL: {_one_line(error)}: start that Prefect server or correct the address; "
            "without PREFECT_API_URL the run needs no Prefect"
        ) from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
