"""The one composition of the stages: ledger → fetch → match → report.

Run by `reconcile run` as plain calls and by the Prefect flow as tasks: `stage` says how a stage is
run, and nothing else differs. The run table and the lock in the database are the truth about a run.
"""

import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from reconcile import inbox
from reconcile.core.errors import UnfinishedFile, UsageError
from reconcile.core.progress import Progress, silent
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.locks import app_locks, match_locks
from reconcile.decide import audit_trail as trail
from reconcile.inbox import Inbox
from reconcile.kspay import Credentials
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.open import open_ledgers
from reconcile.load.fetch import Again, Fetched, FetchPlan, Imported, fetch_app, import_ledger
from reconcile.load.refetch_schedule import days_to_reread, turns_since
from reconcile.match.engine import Matched, match
from reconcile.report import csv_files as files
from reconcile.report.figures import figures
from reconcile.settings import Profile, Settings
from reconcile.validate.dataset_rules import judge_period, judge_results
from reconcile.validate.validator import Validator, preload_beside

T = TypeVar("T")

Ledgers = Sequence[tuple[LedgerFile, Profile]]


EARLIEST = date(2000, 1, 1)
"""No period begins before it; KS Pay is much younger."""


class Stage(Protocol):
    """How a stage is run: as a plain call, or as a Prefect task of that name."""

    def __call__(self, name: str, work: Callable[[], T], /) -> T: ...


def plainly(_name: str, work: Callable[[], T], /) -> T:
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


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that is done: where its files are, and its run.json."""

    run_id: str
    folder: Path
    report: Mapping[str, Any]
    open_above_info: int


def reconcile_period(
    settings: Settings, request: Request, *, stage: Stage = plainly, progress: Progress = silent
) -> Finished:
    """Reconcile one period from end to end.

    Raises the errors of reconcile.errors; then nothing is reported, no file is left and `latest` is
    as it was. What was fetched and imported before stays: it is what both books say.
    """
    check_period(request.period, settings)
    apps = settings.kspay_apps()
    profile = settings.profile(request.profile)
    # What nobody stands by to give again is left for the next run where somebody still writes it.
    unfinished: list[UnfinishedFile] | None = None if request.ledger is not None else []
    ledgers = _ledgers(settings, request, profile, unfinished)
    preload_beside(_bytes(ledger for ledger, _ in ledgers))
    with ExitStack() as stack:
        engine = stack.enter_context(open_store(settings))
        app_ids = tuple(app.app_id for app in apps)
        stack.enter_context(app_locks(engine, app_ids, wait=request.wait, advice=", or add --wait"))
        runs.sweep(engine, app_ids)
        validator = Validator(settings.currencies, request.allow)
        brought, seconds = Inbox(), {}
        if settings.inbox is not None:
            started = monotonic()
            brought = stage(
                "inbox", lambda: inbox.take_in(engine, settings, profile, app_ids, validator, progress)
            )
            seconds["inbox"] = round(monotonic() - started, 3)
        if not ledgers and not unfinished and not _any_ledger(engine):
            raise UsageError("no ledger yet: give one with --ledger, or set RECONCILE_LEDGER")
        period = request.period or default_period(engine, settings, app_ids)
        run = runs.start(engine, "run", app_ids, period, request.out)
        # The folder is made first: one that cannot be written must not cost the work of a whole run.
        with runs.failing(engine, run), files.writing_aside(request.out, run) as aside:
            nightly = request.period is None
            return _Run(
                settings, engine, run, apps, period, nightly, validator, brought, seconds, stage, progress
            ).finish(ledgers, unfinished, request.out, aside)


def fetch_period(settings: Settings, period: Period | None, *, progress: Progress = silent) -> list[Fetched]:
    """Only fetch: KS Pay → Postgres. Without a period it is that of a run without dates."""
    check_period(period, settings)
    apps = settings.kspay_apps()
    with ExitStack() as stack:
        engine = stack.enter_context(open_store(settings))
        app_ids = tuple(app.app_id for app in apps)
        stack.enter_context(app_locks(engine, app_ids, wait=False))
        runs.sweep(engine, app_ids)
        period = period or default_period(engine, settings, app_ids)
        run = runs.start(engine, "fetch", app_ids, period, None)
        with runs.failing(engine, run):
            validator = Validator(settings.currencies)
            fetched = [
                fetch_app(engine, settings, app, FetchPlan([period], None), run, validator, progress)
                for app in apps
            ]
            with engine.begin() as connection:
                runs.finish(connection, run, {"fetched": [asdict(one) for one in fetched]})
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
    preload_beside(_bytes(ledgers))
    if snapshot and len(ledgers) > 1:
        raise UsageError(
            f"--snapshot: {len(ledgers)} files are named, and each would withdraw what only the others hold: "
            "import them one by one"
        )
    with open_store(settings) as engine:
        validator = Validator(settings.currencies, allow)
        return [
            import_ledger(engine, settings, ledger, profile, app_ids, validator, progress, snapshot=snapshot)
            for ledger in ledgers
        ]


class _Run:
    """One run while it works: the stages in order, and what each took."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        run_id: str,
        apps: tuple[Credentials, ...],
        period: Period,
        nightly: bool,
        validator: Validator,
        brought: Inbox,
        seconds: dict[str, float],
        stage: Stage,
        progress: Progress,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.run_id = run_id
        self.apps = apps
        self.period = period
        self.nightly = nightly  # without dates: then older days are read again as well
        self.validator = validator
        self.brought = brought  # what the inbox held
        self.stage = stage
        self.progress = progress
        self.started_at = datetime.now(UTC)
        self.seconds = seconds  # of the stages so far
        self.left: list[str] = []  # ledgers that somebody still writes

    def finish(
        self, ledgers: Ledgers, unfinished: list[UnfinishedFile] | None, out: Path, aside: Path
    ) -> Finished:
        app_ids = tuple(app.app_id for app in self.apps)

        def take_in() -> list[Imported]:
            imported = []
            for ledger, profile in ledgers:
                try:
                    imported.append(
                        import_ledger(
                            self.engine,
                            self.settings,
                            ledger,
                            profile,
                            app_ids,
                            self.validator,
                            self.progress,
                        )
                    )
                except UnfinishedFile as error:
                    if unfinished is None:
                        raise
                    unfinished.append(error)
            return imported

        imported = self.timed("ledger", take_in) if ledgers else []
        if unfinished:
            if not _any_ledger(self.engine):
                raise unfinished[0]
            self.left = [f"ledger: {error}; the next run reads it again" for error in unfinished]
        fetched = self.timed("fetch", self._fetch)
        with self._one_view() as connection:
            matched = self.timed(
                "match",
                lambda: match(connection, self.settings, self.run_id, app_ids, self.period, self.progress),
            )
            return self.timed(
                "report", lambda: self._report(connection, out, aside, imported, fetched, matched)
            )

    def timed(self, name: str, work: Callable[[], T]) -> T:
        started = monotonic()
        result = self.stage(name, work)
        self.seconds[name] = round(monotonic() - started, 3)
        return result

    def _fetch(self) -> list[Fetched]:
        self.validator.forget("transactions")
        return [
            fetch_app(
                self.engine, self.settings, app, self._plan(app), self.run_id, self.validator, self.progress
            )
            for app in self.apps
        ]

    def _plan(self, app: Credentials) -> FetchPlan:
        # The days before the period hold possible partners; they are not thereby covered.
        tolerance = timedelta(days=self.settings.date_tolerance_days)
        days = Period(self.period.first - tolerance, self.period.last)
        turns = turns_since(runs.last_finished_day(self.engine, app.app_id), self.period.last)
        again: list[Period] = []
        if self.nightly:
            covered = runs.covered(self.engine, app.app_id)
            again = days_to_reread(covered, self.settings.reread_days, days.first, self.period.last, turns)
        return FetchPlan([days, *again], Again(self.period.last, turns))

    @contextmanager
    def _one_view(self) -> Iterator[Connection]:
        # Matching, checks and report see one state of the database, whatever is imported meanwhile.
        with (
            match_locks(self.engine, [app.app_id for app in self.apps]),
            self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        ):
            yield connection

    def _report(
        self,
        connection: Connection,
        out: Path,
        aside: Path,
        imported: list[Imported],
        fetched: list[Fetched],
        matched: Matched,
    ) -> Finished:
        from reconcile.report.render import draw  # a fetch has no use for what draws, nor room for it

        self.progress("report", "writing the files", None)
        started = monotonic()
        self.validator.forget("results")
        judge_period(connection, self.validator, self.period, self.settings.currencies)
        judge_results(connection, self.validator, self.run_id, matched.checks)
        self.seconds["validate"] = round(monotonic() - started, 3)
        started = monotonic()
        folder = out / self.run_id
        files.write_tables(connection, self.settings, aside)
        report = self._document(connection, imported, fetched, matched)
        draw(report, aside)
        report["seconds"]["report"] = round(monotonic() - started, 3)
        report["files"] = {path.name: {"sha256": files.digest(path)} for path in sorted(aside.iterdir())}
        files.write_json(aside / "run.json", report)
        try:
            # In place before the commit: a run that the database calls finished has its files. A run
            # that dies between the two is swept by the next one, files and all.
            files.move_in_place(aside, folder)
            runs.finish(connection, self.run_id, report)
            connection.commit()
        except BaseException:
            if not runs.is_finished(self.engine, self.run_id):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        files.point_latest(out, self.run_id)
        return Finished(self.run_id, folder, report, matched.open_above_info)

    def _document(
        self,
        connection: Connection,
        imported: list[Imported],
        fetched: list[Fetched],
        matched: Matched,
    ) -> dict[str, Any]:
        finished_at = datetime.now(UTC)
        return {
            "run_id": self.run_id,
            "from": self.period.first.isoformat(),
            "to": self.period.last.isoformat(),
            "timezone": self.settings.timezone.key,
            "apps": [app.app_id for app in self.apps],
            "started_at": _instant(self.started_at),
            "finished_at": _instant(finished_at),
            "seconds": dict(self.seconds),
            "fetched": [asdict(one) for one in fetched],
            "imported": _together(imported),
            "inbox": self._inbox(),
            "decisions": trail.head(connection),
            "matched": dict(matched.matches),
            "discrepancies": dict(matched.discrepancies),
            "new": matched.new,
            "cleared": len(matched.cleared),
            "cleared_discrepancies": list(matched.cleared),
            "quarantined": _quarantined(connection),
            "totals": files.read_totals(connection, self.settings.currencies),
            **figures(connection, self.run_id, self.settings.currencies),
            "validation": self.validator.summary(),
            "checks": list(matched.checks),
            "warnings": [
                *self.brought.warnings,
                *self.left,
                *(line for one in fetched for line in one.warnings()),
                *matched.warnings,
                *self.validator.warnings(),
            ],
            "files": {},
            "versions": {
                "kspay-reconcile": version("kspay-reconcile"),
                "python": platform.python_version(),
                "postgresql": connection.execute(text("show server_version")).scalar_one(),
            },
        }

    def _inbox(self) -> dict[str, Any]:
        decided = ("file", "by", "decisions", "notes", "unchanged")
        return {
            "imported": [asdict(one) for one in self.brought.imported],
            "decided": [{name: getattr(one, name) for name in decided} for one in self.brought.decided],
            "refused": [asdict(one) for one in self.brought.refused],
        }


def check_period(period: Period | None, settings: Settings) -> None:
    """Raises UsageError for a period that has days in the future, counted in the business time zone."""
    today = datetime.now(settings.timezone).date()
    if period is not None and period.first < EARLIEST:
        raise UsageError(f"--from {period.first} lies before {EARLIEST}, when nobody paid by KS Pay")
    if period is not None and period.last > today:
        which = f"--from {period.first}" if period.first > today else f"--to {period.last}"
        raise UsageError(f"{which} lies in the future: today is {today} in {settings.timezone.key}")


def last_closed_day(now: datetime, timezone: ZoneInfo) -> date:
    """The last business day that ended by 00:00 UTC of today, so that KS Pay lets all of it be asked for."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    return midnight.astimezone(timezone).date() - timedelta(days=1)


def default_period(engine: Engine, settings: Settings, app_ids: tuple[str, ...]) -> Period:
    """The lookback days, or since the last finished run where that reaches back further."""
    last = last_closed_day(datetime.now(UTC), settings.timezone)
    first = last - timedelta(days=settings.lookback_days - 1)
    for app_id in app_ids:
        finished = runs.last_finished_day(engine, app_id)
        if finished is not None:
            first = min(first, finished + timedelta(days=1))
    return Period(first, last)


def _ledgers(
    settings: Settings, request: Request, profile: Profile, unfinished: list[UnfinishedFile] | None
) -> Ledgers:
    """The ledgers to import first, each with its profile; none where what was imported before is taken."""
    if request.ledger is not None:
        return [(file, profile) for file in open_ledgers([request.ledger], profile)]
    if settings.ledger is not None:
        # The name of a profile with a query stands for that query.
        named = settings.profiles.get(str(settings.ledger))
        if named is not None and named.query is not None:
            return [(file, named) for file in open_ledgers([], named)]
        return [(file, profile) for file in open_ledgers([settings.ledger], profile, unfinished)]
    if request.profile is not None and profile.query is not None:
        return [(file, profile) for file in open_ledgers([], profile)]
    return []


def _bytes(ledgers: Iterable[LedgerFile]) -> int:
    """Of the files; the result of a query is none."""
    return sum(ledger.path.stat().st_size for ledger in ledgers if ledger.path.is_file())


def _together(imported: Sequence[Imported]) -> dict[str, Any] | None:
    """What a run imported: of one file all that is known of it, of several the sums, and `files` each."""
    if len(imported) <= 1:
        return asdict(imported[0]) if imported else None
    counts = ("records", "entries", "repeats", "quarantined", "added", "changed", "withdrawn")
    sums = {name: sum(getattr(one, name) for one in imported) for name in counts}
    return {
        "file": f"{len(imported)} files",
        **sums,
        "files": [asdict(one) for one in imported],
    }


def _any_ledger(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.scalar(text("select exists (select from imports)")))


def _quarantined(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text("select side, count(*) from broken group by side order by side"))
    return dict(rows.tuples().all())


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
