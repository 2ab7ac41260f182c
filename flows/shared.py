"""What all flows share: stages as tasks, time limits, progress in the log and on the page, errors in one line."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect import Task, get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import FailedRun, PrefectException
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.runtime import flow_run
from prefect.states import Failed

from reconcile.cli.signals import calling_if_lost, may_raise
from reconcile.core.errors import (
    DatabaseLost,
    DatabaseUnreachable,
    InputRefused,
    ReconcileError,
    TimeIsUp,
    UsageError,
)
from reconcile.core.progress import Progress
from reconcile.db.runs import mishap
from reconcile.kspay.errors import CallError
from reconcile.load.fetch_apps import AppsFailed
from reconcile.notify import telling_failures
from reconcile.pipeline import Stage
from reconcile.settings import Settings

T = TypeVar("T")

FETCH_RETRY_SECONDS = (60, 300, 900)
"""Waits before a deployed run fetches again, after RECONCILE_GIVE_UP_SECONDS of trying gave nothing."""

DATABASE_RETRY_SECONDS = (30, 60, 300, 900)
"""Waits before a deployed run begins again, after its database did not answer or went away in the middle."""

LOG_SECONDS = 15
"""How often a stage that is at work gets another line in the run's log, and its bar on the page moves."""

_AGAIN_SECONDS = 0.05
"""Until the time limit is raised again where it could not be, or was lost."""

AWAY_SECONDS = 300
"""How long the page is left alone after its server did not answer: Prefect's client takes a minute to find that out,
and the work waits for it."""

PREFECT_ERRORS = (httpx.HTTPError, PrefectException)
"""What a server that is away or refuses raises."""


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


def deployment_values() -> dict[str, str]:
    """What prefect.yaml takes from here: where the runs work, in which time zone nights end, and the version."""
    return {
        "folder": str(Path.cwd()),
        "timezone": Settings.read().timezone.key,
        "version": version("kspay-reconcile"),
    }


def deployed(
    work: Callable[[Settings], State[None]], time_limit_hours: float | None, called: str = ""
) -> State[None]:
    """Do a deployment's work; a failure that the command reports in one line is that line on the page. Every failure is
    sent as a message, with the name of the flow if the work has no other name."""
    _outlive_the_worker()
    try:
        settings = Settings.read()
        with (
            telling_failures(settings, PageLog(), called or str(flow_run.flow_name)),
            _ending_after(time_limit_hours or 0),
        ):
            return work(settings)
    except InputRefused as error:
        return Failed(name="Refused", message=str(error))
    except ReconcileError as error:
        return Failed(message=str(error))
    except TimeIsUp as error:
        return Failed(name="TimedOut", message=str(error))


def _outlive_the_worker() -> None:
    """Let the run go on where its worker is killed. The worker takes what the run prints, and Prefect's log would end
    the run at its next line, with a traceback on the page."""
    for name in ("", "prefect", "prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, PrefectConsoleHandler):
                handler.console.on_broken_pipe = _print_to_nobody  # type: ignore[method-assign]


def _print_to_nobody() -> None:
    with open(os.devnull, "wb") as nobody:
        for stream in (1, 2):
            os.dup2(nobody.fileno(), stream)


@contextmanager
def _ending_after(hours: float) -> Iterator[None]:
    # Prefect's own time limit raises a TimeoutError, which is an OSError: what fetches would take it for KS Pay's.
    if hours <= 0 or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _Alarm(hours))
    signal.setitimer(signal.ITIMER_REAL, hours * 3600)
    try:
        with calling_if_lost(TimeIsUp, _ring_again):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True, slots=True)
class _Alarm:
    """What ends the work at its time limit."""

    hours: float

    def __call__(self, _number: int, frame: FrameType | None) -> None:
        if may_raise(frame):
            raise TimeIsUp(self.hours)
        _ring_again()


def _ring_again(_lost: TimeIsUp | None = None) -> None:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)


def report_stands() -> None:
    """What is left to do is little, and only shows and tells: the time limit no longer fails the run."""
    if isinstance(signal.getsignal(signal.SIGALRM), _Alarm):
        signal.setitimer(signal.ITIMER_REAL, 0)


class PageLog:
    """Progress in the run's log, and as a bar of each stage on Prefect's page; a line now and then."""

    def __init__(self, further: Progress | None = None) -> None:
        # Taken here, once: a stage may report its progress from threads that know no run.
        self.logger = get_run_logger()
        self._further = further
        self._last: dict[str, float] = {}
        self._unsaid: dict[str, str] = {}
        self._bars: dict[str, UUID] = {}
        self._away_until = 0.0

    def __call__(self, stage: str, doing: str, done: float | None, /) -> None:
        """A `Progress`."""
        now = monotonic()
        self._unsaid[stage] = doing
        if stage not in self._last or now - self._last[stage] >= LOG_SECONDS:
            self._last[stage] = now
            self._say(stage)
            if done is not None and stage in self._bars:
                self._draw(stage, done)
        if self._further is not None:
            self._further(stage, doing, done)

    def begin(self, stage: str) -> None:
        """A stage begins, in the task that it is."""
        if self._is_away():
            return
        with self.prefect_failures_as_warnings():
            made = create_progress_artifact(0, description=stage)
            assert isinstance(made, UUID), "no flow of ours is asynchronous"
            self._bars[stage] = made

    def end(self, stage: str) -> None:
        """It is done: its last line is in the log, however short it was."""
        self._say(stage)
        if stage in self._bars:
            self._draw(stage, 1)

    @contextmanager
    def prefect_failures_as_warnings(self) -> Iterator[None]:
        """What only the page shows changes nothing about the run."""
        try:
            yield
        except PREFECT_ERRORS as error:
            self._away_until = monotonic() + AWAY_SECONDS
            self.logger.warning("Prefect's page does not show all of this run: %s", one_line(error))

    def _say(self, stage: str) -> None:
        if (doing := self._unsaid.pop(stage, None)) is not None:
            self.logger.info("%s: %s", stage, doing)

    def _is_away(self) -> bool:
        return monotonic() < self._away_until

    def _draw(self, stage: str, done: float) -> None:
        if self._is_away():
            return
        with self.prefect_failures_as_warnings():
            update_progress_artifact(self._bars[stage], round(done * 100))


def as_task(log: PageLog, fetch_retry_seconds: Sequence[float] = ()) -> Stage:
    """Run every stage as a task of its name; only the fetch is tried again, after these waits."""

    def stage(name: str, work: Callable[[], T], /) -> T:
        # Matching and report work inside one transaction, which a failure ends, and a ledger that
        # was refused stays refused. A fetch loads everything or nothing, so it can be repeated.
        waits = list(fetch_retry_seconds) if name == "fetch" else []

        def logged() -> T:
            log.begin(name)
            done = reported(work)
            log.end(name)
            return done

        task: Task[[], T] = Task(
            logged,
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


def reported(work: Callable[[], T]) -> T:
    """Do the work. A full disk and a lost database become the error of one line that the command reports."""
    try:
        return work()
    except Exception as error:
        if (known := mishap(error)) is None:
            raise
        raise known from None


def with_database(run: Callable[[], T]) -> T:
    """Run; and if the database does not answer or goes away, run again from the start when it may be back.

    What was fetched and imported before is kept, and the run that was cut off is marked as failed.
    """
    for wait in DATABASE_RETRY_SECONDS:
        try:
            return reported(run)
        except (DatabaseLost, DatabaseUnreachable) as error:
            get_run_logger().warning("%s; the run begins again in %d seconds", error, wait)
            sleep(wait)
    return reported(run)


def may_pass(_task: object, _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task failed for a reason that time may cure: KS Pay unreachable, overloaded or broken."""
    return isinstance(state.data, CallError | AppsFailed) and state.data.retryable


def inside(root: Path, parameter: str, path: str, variable: str) -> Path:
    """A path of Prefect's form, from the working folder, links resolved. Raises UsageError if it leads out of the
    folder that the settings name: whoever may use the page must not read or write wherever the worker may."""
    if "://" in path:
        raise UsageError(f"{parameter}: {path} is an address: give a path of the worker's machine")
    folder = root.resolve()
    found = Path("/")
    with suppress(OSError, ValueError, RuntimeError):  # a loop of links, a NUL
        found = Path(path).resolve()
    if not found.is_relative_to(folder):
        raise UsageError(
            f"{parameter}: {path} is not in {folder}: give a path inside of it, or set {variable}"
        )
    return found


def out_folder(settings: Settings, out: str) -> Path:
    """The folder for reports that a form names; that of the settings if it names none."""
    return inside(settings.out_root, "out", out or str(settings.reports_folder), "RECONCILE_OUT_ROOT")


def one_line(error: BaseException) -> str:
    """The text of an error of Prefect's."""
    return " ".join(str(error).split()) or type(error).__name__
