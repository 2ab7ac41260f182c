"""The order of the stages: inbox → ledger → fetch → match → validate → report.

`reconcile run` runs the stages as plain calls, the Prefect flow runs them as tasks: `stage` says how, and nothing
else differs. The run table and the lock in the database are the truth about a run.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile import inbox
from reconcile.context import Context, RunContext
from reconcile.core.errors import ReconcileError, UnfinishedFile, UsageError
from reconcile.core.periods import check_period
from reconcile.core.progress import Progress, say_result, silent
from reconcile.core.records import Period
from reconcile.core.tracing import Noting, span
from reconcile.core.wording import counted
from reconcile.db import failures, planner, runs
from reconcile.db.embedded.cluster import EMBEDDED_DATA
from reconcile.db.engine import open_store
from reconcile.db.locks import app_locks, match_locks
from reconcile.inbox import Inbox
from reconcile.ledger.open import open_ledgers
from reconcile.load.fetch import Fetched, fetch_app
from reconcile.load.fetch_apps import AppsFailed, Workers, fetch_apps
from reconcile.load.fetch_plan import FetchPlan, default_period, lookback
from reconcile.load.import_ledger import (
    Imported,
    Ledgers,
    check_snapshot,
    import_ledger,
    ledgers_of_run,
)
from reconcile.load.imports import any_import
from reconcile.match.engine import Matched, match
from reconcile.match.policy import state_policy
from reconcile.report.csv_files import naming_full_disk, writing_aside
from reconcile.report.elsewhere import Elsewhere
from reconcile.report.run_json import StageResults
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import (
    PeriodFacts,
    check_reported_currencies,
    read_period,
    validate_period,
    validate_results,
)
from reconcile.validate.library import preload
from reconcile.validate.validator import Validator

T = TypeVar("T")

_LOCK_SECONDS = 1
"""How long the second connection, which reads the period, waits for a lock."""
_RESULT_SECONDS = 300
"""How long each of its statements may take, and how long a run waits for it once the matching is done."""


class Stage(Protocol):
    """How a stage is run: as a plain call, or as a Prefect task of that name."""

    def __call__(self, name: str, work: Callable[[], T], /) -> T: ...


def as_call(_name: str, work: Callable[[], T], /) -> T:
    """Run a stage as a plain call."""
    return work()


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked for; None is what the settings and the runs before say."""

    period: Period | None = None
    ledger: Path | None = None
    profile: str | None = None
    out: Path = Path("reports")
    wait: bool = False
    allow: frozenset[str] = frozenset()  # expectations that would block and may not
    snapshot: bool = False  # the ledger is the whole one of the days that it spans
    apps: tuple[str, ...] = ()  # only these; none: all that are set
    copy_to: str = ""  # the address of a folder elsewhere, s3://books/reports, that gets the files too
    due: datetime | None = None  # of a scheduled run, see MadeUpFor


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is done: where its files are, and its run.json."""

    run_id: str
    folder: Path
    report: Mapping[str, Any]
    open_above_info: int

    def in_numbers(self) -> str:
        """`14 files, 12 open above info`."""
        return f"{counted(len(self.report['files']), 'file')}, {self.open_above_info:,} open above info"


class PartlyDone(ReconcileError):
    """Some apps failed. The run of the others is finished, and its report stands, at `link` if it has one."""

    def __init__(self, failed: AppsFailed, finished: Finished, link: str | None = None) -> None:
        others = ", ".join(finished.report["apps"])
        super().__init__(
            f"{failed}; the report of {others} stands {f'at {link}' if link else f'in {finished.folder}'}"
        )
        self.exit_code = failed.exit_code
        self.failed = failed
        self.finished = finished


class MadeUpFor(Exception):
    """There is nothing to do: a run that began after this one was due did its work."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} began after this night was due, and is as of the same day")
        self.run_id = run_id


def reconcile_period(
    settings: Settings,
    request: Request,
    *,
    stage: Stage = as_call,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Finished:
    """Reconcile one period from end to end; `workers`, if there are any, fetch its apps.

    Raises the errors of reconcile.core.errors; then nothing is reported, no file is left and `latest` is
    as it was. What was fetched and imported before stays: it is what both books say. Raises MadeUpFor where a run
    that was due has nothing left to do.
    """
    check_period(request.period, settings.timezone)
    apps = settings.kspay_apps(request.apps)
    app_ids = tuple(app.app_id for app in apps)
    profile = settings.profile(request.profile)

    def opened() -> Ledgers:
        found = ledgers_of_run(settings, request.ledger, profile, by_name=request.profile is not None)
        if request.snapshot:
            check_snapshot([ledger for ledger, _ in found.files])
        return found

    early = EarlyFailures(settings, app_ids, request.period, progress)
    with early.noted(lambda: open_store(settings)):
        ledgers = opened()
        preload()
        validator = Validator.of(settings, request.allow)
    with ExitStack() as stack:
        noted = stack.enter_context(span("reconcile run"))
        with early.noted():
            engine = stack.enter_context(open_store(settings))
        with early.noted(lambda: nullcontext(engine)):
            validator.try_own(engine)
            elsewhere = Elsewhere(request.copy_to) if request.copy_to else None
            waited_for: list[str] = []

            def waiting(app_id: str) -> None:
                waited_for.append(app_id)
                progress("wait", f"another run works on app {app_id}", None)

            stack.enter_context(
                app_locks(engine, app_ids, wait=request.wait, advice=", or add --wait", waiting=waiting)
            )
            runs.sweep(engine, app_ids)
            if request.due is not None:
                # If several nights were missed, the first run does the work of all. The others waited for its end.
                missed = default_period(engine, settings, app_ids)
                if before := runs.made_up_for(engine, app_ids, missed, request.due):
                    raise MadeUpFor(before)
            if waited_for:
                ledgers = opened()  # they may have been written anew meanwhile
            # A ledger is taken in whole, also where it serves apps that this run is not about.
            context = Context(settings, engine, settings.app_ids, validator, progress)
            timed = _Timed(stage, progress)
            taken = Inbox()
            if settings.inbox is not None:
                taken = timed("inbox", lambda: inbox.read_inbox(context, profile))
            if not ledgers.files and not ledgers.unfinished and not any_import(engine):
                raise UsageError("no ledger yet: give one with --ledger, or set RECONCILE_LEDGER")
            period = request.period or default_period(engine, settings, app_ids)
            run_id = runs.start(engine, "run", app_ids, period, request.out)
            noted({"run_id": run_id, "apps": len(app_ids)})
        # The folder is made first: one that cannot be written must not cost the work of a whole run.
        with runs.failing(engine, run_id, settings.home), writing_aside(request.out, run_id) as aside:
            run = RunContext(
                settings,
                engine,
                app_ids,
                context.validator,
                progress,
                run_id=run_id,
                apps=apps,
                period=period,
                nightly=request.period is None,
                snapshot=request.snapshot,
            )
            places = _Places(request.out, aside, elsewhere)
            finished, failed = _run_stages(context, run, timed, taken, ledgers, places, workers)
    if failed is not None:
        raise PartlyDone(failed, finished)
    return finished


@dataclass(frozen=True, slots=True)
class EarlyFailures:
    """Keeps what fails before there is a run among the runs."""

    settings: Settings
    app_ids: tuple[str, ...]
    period: Period | None
    """None is that of a run without dates."""
    progress: Progress

    @contextmanager
    def noted(self, database: Callable[[], AbstractContextManager[Engine]] | None = None) -> Iterator[None]:
        """Keep a failure of the block. `database` opens what is to hold it; none where that is what may fail."""
        try:
            yield
        except Exception as error:
            known = error if isinstance(error, ReconcileError) else runs.mishap(error)
            if known is not None and self._may_keep():
                self._note(known, database)
            raise

    def _may_keep(self) -> bool:
        """A run that failed makes no database."""
        data = self.settings.home.expanduser() / EMBEDDED_DATA
        return self.settings.database_url is not None or data.exists()

    def _note(
        self, error: ReconcileError, database: Callable[[], AbstractContextManager[Engine]] | None
    ) -> None:
        if database is not None:
            with suppress(ReconcileError, DBAPIError), database() as engine:
                asked = self.period or default_period(engine, self.settings, self.app_ids)
                runs.note_failure(engine, "run", self.app_ids, asked, error)
                return
        try:
            # Since when nothing was finished, only the database knows.
            asked = self.period or lookback(self.settings)
            failures.keep_failure(self.settings.home, "run", self.app_ids, asked, str(error))
        except ReconcileError as unkept:
            self.progress("runs", f"this failure is not kept: {unkept}", None)


def take_inbox(
    settings: Settings, profile_name: str | None, *, stage: Stage = as_call, progress: Progress = silent
) -> Inbox:
    """Only take in what lies in RECONCILE_INBOX; the next run matches it. Raises UsageError if none is set."""
    if settings.inbox is None:
        raise UsageError(
            "RECONCILE_INBOX is not set: it names the folder of ledgers and decisions to take in"
        )
    profile = settings.profile(profile_name)
    app_ids = settings.known_app_ids()
    preload()
    validator = Validator.of(settings)
    with open_store(settings) as engine:
        validator.try_own(engine)
        context = Context(settings, engine, app_ids, validator, progress)
        return _Timed(stage, progress)("inbox", lambda: inbox.read_inbox(context, profile))


def fetch_period(settings: Settings, period: Period | None, *, progress: Progress = silent) -> list[Fetched]:
    """Only fetch: KS Pay → Postgres. Without a period it is that of a run without dates."""
    check_period(period, settings.timezone)
    apps = settings.kspay_apps()
    preload()
    validator = Validator.of(settings)
    with ExitStack() as stack:
        engine = stack.enter_context(open_store(settings))
        validator.try_own(engine)
        app_ids = tuple(app.app_id for app in apps)
        stack.enter_context(app_locks(engine, app_ids, wait=False))
        runs.sweep(engine, app_ids)
        period = period or default_period(engine, settings, app_ids)
        run_id = runs.start(engine, "fetch", app_ids, period, None)
        with runs.failing(engine, run_id, settings.home):
            run = RunContext(
                settings, engine, app_ids, validator, progress, run_id=run_id, apps=apps, period=period
            )
            fetched = [fetch_app(run, app, FetchPlan([period], None)) for app in apps]
            with engine.begin() as connection:
                runs.finish(connection, run_id, {"fetched": [asdict(app) for app in fetched]})
            return fetched


def import_files(
    settings: Settings,
    paths: Sequence[Path],
    profile_name: str | None,
    *,
    snapshot: bool = False,
    allow: frozenset[str] = frozenset(),
    progress: Progress = silent,
) -> list[Imported]:
    """Only import ledgers, without a path the profile's query; the next run matches them.

    A snapshot is one file: the whole ledger of the days that it spans. All are looked at before the first is
    taken in, so that one that is refused costs nothing.
    """
    profile = settings.profile(profile_name)
    app_ids = settings.known_app_ids()
    ledgers = open_ledgers(paths, profile)
    preload()
    validator = Validator.of(settings, allow)
    if snapshot:
        check_snapshot(ledgers)
    with open_store(settings) as engine:
        validator.try_own(engine)
        context = Context(settings, engine, app_ids, validator, progress)
        return [import_ledger(context, ledger, profile, snapshot=snapshot) for ledger in ledgers]


class _Timed:
    """Runs the stages of a run one after another, each in a span, says what each gave, and notes how long it took."""

    def __init__(self, stage: Stage, progress: Progress) -> None:
        self._stage = stage
        self._progress = progress
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        """Run a stage."""

        def told() -> T:
            done = work()
            say_result(self._progress, name, done)
            return done

        with self.noting(name) as noted:
            done = self._stage(name, told)
            noted(_counts(done))
            return done

    @contextmanager
    def noting(self, name: str) -> Iterator[Noting]:
        """Note how long the block takes."""
        started = monotonic()
        with span(name) as noted:
            yield noted
        self.seconds[name] = round(monotonic() - started, 3)


def _counts(done: object) -> dict[str, int]:
    """What a stage did, in numbers, for its span."""
    if isinstance(done, Inbox):
        return {name: len(getattr(done, name)) for name in ("imported", "decided", "refused")}
    if isinstance(done, Matched):
        return {
            "matches": sum(done.matches.values()),
            "discrepancies": sum(done.discrepancies.values()),
            "open_above_info": done.open_above_info,
        }
    if isinstance(done, Finished):
        return {"files": len(done.report["files"])}
    names = ("records", "added", "changed", "quarantined")
    rows = (
        [result for result in done if isinstance(result, Imported | Fetched)]
        if isinstance(done, list)
        else []
    )
    return {name: sum(getattr(result, name) for result in rows) for name in names if rows}


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the files of a run go: written aside, moved to `out`, copied elsewhere."""

    out: Path
    aside: Path
    elsewhere: Elsewhere | None


def _run_stages(
    context: Context,
    run: RunContext,
    timed: _Timed,
    taken: Inbox,
    ledgers: Ledgers,
    places: _Places,
    workers: Workers | None,
) -> tuple[Finished, AppsFailed | None]:
    started_at = datetime.now(UTC)
    imported = timed("ledger", lambda: _import(context, run, ledgers)) if ledgers.files else []
    if ledgers.unfinished and not any_import(run.engine):
        raise ledgers.unfinished[0]
    _prepare_report(run.settings)
    fetched: dict[str, Fetched] = {}
    failed = None

    def fetch() -> list[Fetched]:
        fetch_apps(run, fetched, workers)
        return list(fetched.values())

    try:
        timed("fetch", fetch)
    except AppsFailed as error:
        if not fetched:
            raise
        failed = error
        run = _without(run, failed)
    with _one_view(run) as connection:
        period_facts = begin_to_read_period(run, connection)
        matched = timed(
            "match",
            lambda: match(connection, run.settings, run.run_id, run.app_ids, run.period, run.progress),
        )
        results = StageResults(
            started_at=started_at,
            seconds=timed.seconds,
            inbox=taken,
            imported=imported,
            fetched=[fetched[app_id] for app_id in run.app_ids],
            matched=matched,
            unread=[f"ledger: {error}; the next run reads it again" for error in ledgers.unfinished or ()]
            + ([f"fetch: {failed}: nothing of it is in this report"] if failed else []),
        )
        finished = timed("report", lambda: _report(connection, run, results, timed, places, period_facts))
        return finished, failed


def _without(run: RunContext, failed: AppsFailed) -> RunContext:
    """The run of the other apps. Those that failed are a run of their own, which failed: no report covers their days,
    so the next night catches up."""
    apps = tuple(app for app in run.apps if app.app_id not in failed.errors)
    runs.leave_out(run.engine, run.run_id, [app.app_id for app in apps])
    for app_id, error in failed.errors.items():
        runs.note_failure(run.engine, "run", [app_id], run.period, error)
    return replace(run, apps=apps, app_ids=tuple(app.app_id for app in apps))


def _import(context: Context, run: RunContext, ledgers: Ledgers) -> list[Imported]:
    imported = []
    for ledger, profile in ledgers.files:
        try:
            imported.append(import_ledger(context, ledger, profile, snapshot=run.snapshot))
        except UnfinishedFile as error:
            if ledgers.unfinished is None:
                raise
            ledgers.unfinished.append(error)
    return imported


@contextmanager
def _one_view(run: RunContext) -> Iterator[Connection]:
    # Matching, checks and report see one state of the database, whatever is imported meanwhile.
    with (
        match_locks(run.engine, run.app_ids, run.progress),
        run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        yield connection


def begin_to_read_period(run: RunContext, connection: Connection) -> Callable[[], PeriodFacts]:
    """Read the days and currencies of the period in the background, as `connection` sees them.

    On a long history that takes as long as to match a usual night. Returns a function that waits for the result. If
    the second connection fails or is too slow, that function reads on `connection`.
    """
    snapshot = connection.execute(text("select pg_export_snapshot()")).scalar_one()
    result: Future[PeriodFacts] = Future()

    def read() -> None:
        try:
            with run.engine.connect().execution_options(isolation_level="REPEATABLE READ") as other:
                other.execute(text(f"set transaction snapshot '{snapshot}'"))
                # A third session may wait for `connection` while this one waits for the third. Without a limit that
                # is a deadlock, which Postgres cannot see.
                other.execute(text(f"set local lock_timeout to '{_LOCK_SECONDS}s'"))
                other.execute(text(f"set local statement_timeout to '{_RESULT_SECONDS}s'"))
                planner.use(other, planner.MATCHING)
                planner.use(other, planner.FEW_RECORDS)
                state_policy(other, run.settings, run.app_ids)
                result.set_result(read_period(other, run.period))
        except BaseException as error:  # noqa: BLE001  who waits for the result raises it
            if not result.done():
                result.set_exception(error)

    # A run that is stopped does not wait for it.
    threading.Thread(target=read, name="read period", daemon=True).start()

    def facts() -> PeriodFacts:
        try:
            return result.result(_RESULT_SECONDS)
        except (DBAPIError, TimeoutError) as error:
            words = next(iter(str(getattr(error, "orig", error)).splitlines()), "") or "too slow"
            run.progress("report", f"reading the days again: the second connection: {words}", None)
            return read_period(connection, run.period)

    return facts


def _prepare_report(settings: Settings) -> None:
    """Get ready to write the files in the background, while KS Pay and Postgres are waited for."""

    def work() -> None:
        # An import that fails fails again, with its message, where the files are written.
        with suppress(ImportError):
            from reconcile.report.publish import prepare  # here: `reconcile fetch` has no use for what draws

            prepare(settings)

    threading.Thread(target=work, name="prepare report", daemon=True).start()


def _report(
    connection: Connection,
    run: RunContext,
    results: StageResults,
    timed: _Timed,
    places: _Places,
    period_facts: Callable[[], PeriodFacts],
) -> Finished:
    from reconcile.report.publish import publish

    run.progress("report", "writing the files", None)
    with timed.noting("validate"):  # within the stage `report`
        run.validator.restart("results")
        check_reported_currencies(connection, run.settings.currencies)
        validate_period(run.validator, run.period, period_facts(), run.settings.currencies)
        validate_results(connection, run.validator, run.run_id, results.matched.checks)
    with naming_full_disk(places.out):
        report = publish(
            connection, run, results, aside=places.aside, out=places.out, elsewhere=places.elsewhere
        )
    return Finished(run.run_id, places.out / run.run_id, report, results.matched.open_above_info)
