"""KS Pay's transactions: fetched page by page, normalised, validated, and loaded as a whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Engine, text

from reconcile.context import RunContext
from reconcile.core.errors import UsageError
from reconcile.core.periods import last_closed_day
from reconcile.core.progress import Pace, Progress
from reconcile.core.records import Family, Period, Place, RawRow, Side, Transaction
from reconcile.core.wording import counted
from reconcile.db.sql_files import read_sql
from reconcile.kspay import Credentials, KSPay, Page, WindowRecord
from reconcile.kspay.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from reconcile.kspay.paging.listing import instant
from reconcile.kspay.paging.windows import Window
from reconcile.load.fetch_plan import FetchPlan, RefetchById
from reconcile.load.staging import Staging
from reconcile.load.staging_tables import staging_tables
from reconcile.normalise.transactions import TransactionNormaliser
from reconcile.normalise.transactions_bulk import TransactionsInBulk
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import validate_batch
from reconcile.validate.rules import Batch

CLOCK_SLACK = timedelta(minutes=5)
"""By how much two clocks may differ without a word."""

_NAMED = 5  # so many transactions that KS Pay does not give are named


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch of one app gave, in records: records = repeats + usable + quarantined."""

    app_id: str
    utc_days: list[str]  # the ranges asked for, `2026-07-28..2026-09-01`; the first is the period's
    windows: int
    pages: int
    repeated_requests: int  # after a refusal, an error or no answer
    asked_by_id: int  # transactions that may have changed outside these days
    unknown_ids: list[str]  # those of them that KS Pay did not give
    accepted_from: str | None  # the first day that KS Pay accepts, where earlier ones were refused
    may_lack_from: str | None  # the instant since which records of the period may be missing
    clock_minutes: (
        int  # by how much the clock of this machine is ahead of KS Pay's; 0 for less than CLOCK_SLACK
    )
    records: int
    repeats: int  # the same record again, where windows overlap or pages shift
    usable: int
    quarantined: int
    added: int
    changed: int

    def in_numbers(self) -> str:
        """`ap_1: 1,592 transactions, 3 new, 0 changed, 0 quarantined`."""
        return (
            f"{self.app_id}: {counted(self.records - self.repeats, 'transaction')}, {self.added:,} new, "
            f"{self.changed:,} changed, {self.quarantined:,} quarantined"
        )

    def warnings(self) -> list[str]:
        """What the fetch could not cover, a line each."""
        found = []
        if self.clock_minutes:
            found.append(
                f"fetch: {self.app_id}: the clock of this machine is {abs(self.clock_minutes):,} minutes "
                f"{'ahead of' if self.clock_minutes > 0 else 'behind'} KS Pay's: set it"
            )
        if self.may_lack_from is not None:
            found.append(
                f"fetch: {self.app_id}: KS Pay takes no date after its today, and may not list the last days to their "
                f"end yet: what was created after {self.may_lack_from} may be missing until a later run reads them "
                "again"
            )
        if self.unknown_ids:
            named = ", ".join(self.unknown_ids[:_NAMED])
            more = f" and {len(self.unknown_ids) - _NAMED:,} more" if len(self.unknown_ids) > _NAMED else ""
            found.append(
                f"fetch: {self.app_id}: asked for by id, KS Pay does not give {named}{more}: what it said of them "
                "before is taken to hold"
            )
        return found


@dataclass(frozen=True, slots=True)
class Read:
    """What one fetch of one app gave, and the windows that it read."""

    fetched: Fetched
    windows: Sequence[WindowRecord]


def fetch_app(
    run: RunContext, app: Credentials, plan: FetchPlan, opened: Callable[[KSPay], None] = lambda _: None
) -> Fetched:
    """As `read_app`, and record the windows with the run."""
    read = read_app(run, app, plan, opened)
    record_windows(run.engine, run.run_id, app.app_id, read.windows)
    return read.fetched


def read_app(
    run: RunContext,
    app: Credentials,
    plan: FetchPlan,
    opened: Callable[[KSPay], None] = lambda _: None,
    turn: Callable[[], None] = lambda: None,
) -> Read:
    """Fetch the UTC days that cover the planned days of one app, and by id what may have changed outside.

    `opened` is given the client, which another thread may close to end the fetch. `turn` is called when the days are
    staged, and may wait: before it returns nothing is looked up in the database's records or loaded into them.
    Raises the errors of reconcile.kspay.errors; then nothing of this fetch is loaded.
    """
    settings, engine, validator, progress = run.settings, run.engine, run.validator, run.progress
    ranges = [period.utc_days(settings.timezone) for period in plan.periods]
    progress("fetch", f"{app.app_id}: signing in", 0)
    with (
        KSPay(
            app,
            page_size=settings.page_size,
            concurrency=settings.concurrency,
            give_up_seconds=settings.give_up_seconds,
        ) as kspay,
        staging_tables(engine) as tables,
    ):
        opened(kspay)
        codes = {currency.id: currency.code for currency in kspay.currencies() if currency.code is not None}
        clock_ahead = _clock_ahead(kspay, run)
        kspay.first_accepted_day = remembered = _first_accepted_day(engine, app.app_id)
        staging: Staging[Sequence[RawRow], Transaction] = Staging(
            tables,
            Side.KSPAY,
            TransactionsInBulk(app.app_id, settings.currencies),
            TransactionNormaliser(app.app_id, settings.currencies, codes),
        )
        for days in ranges:
            staging.add(_pages(kspay, days, app.app_id, progress), days)
        turn()
        if kspay.first_accepted_day is None:
            # Where these days were fetched ahead, those before them may have shown it meanwhile.
            kspay.first_accepted_day = remembered = _first_accepted_day(engine, app.app_id)
        ids = _ids_to_refetch(engine, settings, app.app_id, ranges, plan.by_id) if plan.by_id else []
        by_id = _ById(app.app_id, progress)
        staging.add([row] for row in by_id.rows(kspay, ids))

        allowed = tables.judge(validator, Side.KSPAY, settings.currencies, app.app_id)

        def check(batch: Batch) -> tuple[str, ...]:
            return (*allowed, *validate_batch(validator, "transactions", app.app_id, batch))

        loaded = tables.take_in_transactions(app.app_id, ranges, check)
        accepted = kspay.first_accepted_day
        if accepted is not None and accepted != remembered:
            _remember_first_accepted_day(engine, app.app_id, accepted)
    fetched = Fetched(
        app_id=app.app_id,
        utc_days=[f"{days.first}..{days.last}" for days in ranges],
        windows=len(kspay.windows_read),
        pages=sum(read.pages for read in kspay.windows_read),
        repeated_requests=kspay.repeated_requests,
        asked_by_id=len(ids),
        unknown_ids=by_id.unknown,
        accepted_from=accepted.isoformat() if accepted else None,
        may_lack_from=_may_lack_from(kspay, plan.periods[0].last, settings),
        clock_minutes=round(clock_ahead / timedelta(minutes=1)) if abs(clock_ahead) > CLOCK_SLACK else 0,
        records=loaded.read,
        repeats=loaded.repeats,
        usable=loaded.usable,
        quarantined=loaded.quarantined,
        added=loaded.added,
        changed=loaded.changed,
    )
    return Read(fetched, tuple(kspay.windows_read))


def _clock_ahead(kspay: KSPay, run: RunContext) -> timedelta:
    """By how much the clock of this machine is ahead of KS Pay's.

    Raises UsageError if the run therefore took a day for over that is not: what is not paid yet would be missing.
    """
    server = kspay.server_now()
    ahead = datetime.now(UTC) - server
    at, zone = server + CLOCK_SLACK, run.settings.timezone
    newest = last_closed_day(at, zone) if run.nightly else at.astimezone(zone).date()
    if run.period.last > newest:
        raise UsageError(
            f"the clock of this machine is wrong: it says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, KS Pay's says "
            f"{server:%Y-%m-%d %H:%M} UTC. By that clock {run.period.last} "
            f"{'is not over yet' if run.nightly else 'lies in the future'}: set the clock, and run again"
        )
    return ahead


def _may_lack_from(kspay: KSPay, last: date, settings: Settings) -> str | None:
    """As KS Pay's client tells it for whole days of UTC, unless the business day ended before."""
    at = kspay.may_lack_from
    ends_at = datetime.combine(last + timedelta(days=1), time(), settings.timezone)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at is not None and at < ends_at else None


def _pages(kspay: KSPay, days: Period, app_id: str, progress: Progress) -> Iterator[list[RawRow]]:
    """The rows of Fetch All Transactions, page by page; says what it does as they pass."""
    pace, days_read = Pace(), DaysRead()
    further, further_pace = (0, 1), Pace()
    for page in kspay.transactions(days):
        done = days_read.part(page)
        if page.reading == 1:
            words = f"page {page.number}, {page.rows_so_far:,} records{pace.words(page.rows_so_far, done)}"
        else:
            # The number of readings is not known before: the time left is that of the present reading.
            if (page.window_number, page.reading) != further:
                further, further_pace = (page.window_number, page.reading), Pace()
            words = (
                f"reading {page.reading} to be certain: page {page.number}, "
                f"{page.rows_of_reading:,} of {page.rows_expected:,} records again"
                f"{further_pace.words(page.rows_of_reading, _part_of_reading(page))}"
            )
        progress("fetch", f"{app_id}: window {page.window_number} of {page.windows}, {words}", done)
        yield page.rows


def _part_of_reading(page: Page) -> float:
    """Which part of a further reading is done."""
    return min(1.0, page.rows_of_reading / max(1, page.rows_expected))


class DaysRead:
    """Which part of a fetch is done (0 to 1): the windows read, and the days read of the present one.

    Listings run through their days one way or the other; of one that does not only whole windows count. A
    further reading of a window begins again.
    """

    def __init__(self) -> None:
        self._window: Window | None = None
        self._start: datetime | None = None
        self._part = 0.0

    def part(self, page: Page) -> float:
        """As of this page, which must be the one after the last."""
        if page.reading > 1:
            return (page.window_number - 1 + _part_of_reading(page)) / page.windows
        at = instant(page.rows[-1], "createdAt")
        if page.window != self._window:
            self._window, self._start, self._part = page.window, instant(page.rows[0], "createdAt"), 0.0
        if self._start is not None and at is not None:
            length = page.window.to_date - page.window.from_date
            part = min(1.0, abs(at - self._start) / length)
            if page.number == 1 and part > 0.5 and len(page.rows) > 1:
                self._start = None  # in no order of days, or all on one page
            elif part < self._part:
                self._start, self._part = None, 0.0
            else:
                self._part = part
        return (page.window_number - 1 + self._part) / page.windows


def record_windows(engine: Engine, run_id: str, app_id: str, windows: Sequence[WindowRecord]) -> None:
    """Note which windows a run read, and why nothing of them can be missing."""
    with engine.begin() as connection:
        # A stage that is run again replaces what it recorded before.
        connection.execute(
            text("delete from fetched_windows where run_id = :run_id and app_id = :app_id"),
            {"run_id": run_id, "app_id": app_id},
        )
        for number, read in enumerate(windows, 1):
            connection.execute(
                text(read_sql("load/note_window")),
                {
                    "run_id": run_id,
                    "app_id": app_id,
                    "number": number,
                    "window_first": read.window.from_date,
                    "window_last": read.window.to_date,
                    "pages": read.pages,
                    "records": read.rows,
                    "distinct_ids": read.distinct,
                    "passes": read.readings,
                    "first_created_at": read.first_at,
                    "last_created_at": read.last_at,
                    "total": read.total,
                    "proof": read.proof,
                },
            )


def _first_accepted_day(engine: Engine, app_id: str) -> date | None:
    with engine.connect() as connection:
        found: date | None = connection.scalar(
            text("select first_day from first_days where app_id = :app_id"), {"app_id": app_id}
        )
    return found


def _remember_first_accepted_day(engine: Engine, app_id: str, day: date) -> None:
    with engine.begin() as connection:
        connection.execute(text(read_sql("load/note_first_day")), {"app_id": app_id, "day": day})


class _ById:
    """Transactions asked for one by one."""

    def __init__(self, app_id: str, progress: Progress) -> None:
        self.app_id = app_id
        self.progress = progress
        self.unknown: list[str] = []

    def rows(self, kspay: KSPay, ids: Sequence[str]) -> Iterator[RawRow]:
        for number, transaction_id in enumerate(ids, 1):
            self.progress(
                "fetch", f"{self.app_id}: {number:,} of {len(ids):,} older ones by id", number / len(ids)
            )
            try:
                record = kspay.transaction(transaction_id)
            except (NotFoundError, InvalidRequestError, PermissionDeniedError):
                record = {}
            if record.get("id") != transaction_id:
                # It is gone, has an id that cannot be asked for, or another record came: what is held stays.
                self.unknown.append(transaction_id)
                continue
            yield RawRow(Place(f"GET /transaction/txnId/{transaction_id}", 1), record)


def _ids_to_refetch(
    engine: Engine, settings: Settings, app_id: str, ranges: Sequence[Period], by_id: RefetchById
) -> list[str]:
    old_before = datetime.combine(
        by_id.as_of - timedelta(days=settings.reread_days - 1), time(), settings.timezone
    )
    pending = [
        word
        for (side, word), family in settings.families.items()
        if side == Side.KSPAY and family == Family.PENDING
    ]
    with engine.connect() as connection:
        rows = connection.execute(
            text(read_sql("load/refetch_by_id")),
            {
                "app_id": app_id,
                "pending": pending,
                "firsts": [days.first for days in ranges],
                "lasts": [days.last for days in ranges],
                "old_before": old_before,
                "turns": sorted(by_id.turns),
            },
        )
        return list(rows.scalars())
