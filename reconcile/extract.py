"""Stages 1 to 3 for each side: read, normalise, validate, load. Batch by batch, so memory stays flat."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from sqlalchemy import Engine, text

from reconcile import normalise
from reconcile.errors import InputRefused
from reconcile.expectations import BATCH, Validator
from reconcile.kspay import Credentials, KSPay, Window
from reconcile.ledger import LedgerFile
from reconcile.load import Loaded, Loading, loading
from reconcile.progress import Progress
from reconcile.records import Entry, Period, RawRow, Rejection, Transaction
from reconcile.settings import Profile, Settings

R = TypeVar("R", Transaction, Entry)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch of one app brought, in records."""

    app_id: str
    first_utc_day: str
    last_utc_day: str
    windows: int
    pages: int
    records: int
    repeats: int  # the same record again, where windows overlap or pages shift
    usable: int
    quarantined: int
    added: int
    changed: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import of a ledger brought, in rows: records = entries + repeats + quarantined."""

    import_id: int
    source: str
    file: str
    sha256: str
    records: int
    entries: int
    repeats: int
    quarantined: int
    added: int
    changed: int


def fetch_app(
    engine: Engine,
    settings: Settings,
    app: Credentials,
    period: Period,
    run_id: str,
    validator: Validator,
    progress: Progress,
) -> Fetched:
    """Fetch the UTC days that cover these business days of one app and load what comes.

    Raises the errors of reconcile.kspay.errors; then nothing of this fetch is loaded.
    """
    days = period.utc_days(settings.timezone)
    pages: dict[Window, int] = {}
    records: dict[Window, int] = {}

    def rows(kspay: KSPay) -> Iterator[RawRow]:
        for page in kspay.transactions(days):
            pages[page.window] = pages.get(page.window, 0) + 1
            records[page.window] = records.get(page.window, 0) + len(page.rows)
            progress(
                "fetch",
                f"{app.app_id}: window {page.window_number} of {page.windows}, page {page.number}, "
                f"{sum(records.values()):,} records",
                (page.window_number - 1) / page.windows,
            )
            yield from page.rows

    progress("fetch", f"{app.app_id}: signing in", 0)
    with (
        KSPay(app, page_size=settings.page_size, give_up_seconds=settings.give_up_seconds) as kspay,
        loading(engine) as load,
    ):
        codes = {currency.id: currency.code for currency in kspay.currencies() if currency.code is not None}
        typed = normalise.transactions(
            rows(kspay), app_id=app.app_id, currencies=settings.currencies, currency_codes=codes
        )
        _stage(load, typed, validator.transactions)
        loaded = load.take_in_transactions(app.app_id, days)
        _record_windows(engine, run_id, app.app_id, pages, records)
    return Fetched(
        app_id=app.app_id,
        first_utc_day=days.first.isoformat(),
        last_utc_day=days.last.isoformat(),
        windows=len(pages),
        pages=sum(pages.values()),
        records=loaded.read,
        repeats=loaded.repeats,
        usable=loaded.usable,
        quarantined=loaded.quarantined,
        added=loaded.added,
        changed=loaded.changed,
    )


def import_ledger(
    engine: Engine,
    settings: Settings,
    ledger: LedgerFile,
    profile: Profile,
    app_ids: Sequence[str],
    validator: Validator,
    progress: Progress,
) -> Imported:
    """Import one ledger file: every row becomes an entry, a repeat of one, or goes to quarantine."""
    if len(app_ids) > 1 and "app_id" not in ledger.columns:
        raise InputRefused(
            f"{ledger.path}, row 1: there are several apps, so the file needs a column app_id (one of "
            f"{', '.join(app_ids)})"
        )

    def rows() -> Iterator[RawRow]:
        for number, row in enumerate(ledger.rows(), 1):
            if number % BATCH == 0:
                progress("ledger", f"{ledger.name}: {number:,} rows", None)
            yield row

    progress("ledger", f"reading {ledger.name}", None)
    with loading(engine) as load:
        typed = normalise.entries(
            rows(),
            app_id=app_ids[0],
            source=profile.name,
            default_currency=profile.currency,
            currencies=settings.currencies,
            app_ids=frozenset(app_ids),
        )
        _stage(load, typed, validator.entries)
        loaded = load.take_in_entries(app_ids, profile.name, ledger.name)
        import_id = _record_import(engine, ledger, profile.name, loaded)
    return Imported(
        import_id=import_id,
        source=profile.name,
        file=ledger.name,
        sha256=ledger.sha256,
        records=loaded.read,
        entries=loaded.usable,
        repeats=loaded.repeats,
        quarantined=loaded.quarantined,
        added=loaded.added,
        changed=loaded.changed,
    )


def _stage(
    load: Loading,
    typed: Iterable[R | Rejection],
    judge: Callable[[Sequence[R]], tuple[list[R], list[Rejection]]],
) -> None:
    stream = iter(typed)
    while batch := list(islice(stream, BATCH)):
        rejections = [item for item in batch if isinstance(item, Rejection)]
        kept, refused = judge([item for item in batch if not isinstance(item, Rejection)])
        load.stage(kept, rejections + refused)


def _record_windows(
    engine: Engine, run_id: str, app_id: str, pages: dict[Window, int], records: dict[Window, int]
) -> None:
    with engine.begin() as connection:
        # A stage that is run again replaces what it recorded before.
        connection.execute(
            text("delete from fetched_windows where run_id = :run_id and app_id = :app_id"),
            {"run_id": run_id, "app_id": app_id},
        )
        for window, count in pages.items():
            connection.execute(
                text(
                    "insert into fetched_windows (run_id, app_id, window_first, window_last, pages, records)"
                    " values (:run_id, :app_id, :first, :last, :pages, :records)"
                ),
                {
                    "run_id": run_id,
                    "app_id": app_id,
                    "first": window.from_date,
                    "last": window.to_date,
                    "pages": count,
                    "records": records[window],
                },
            )


def _record_import(engine: Engine, ledger: LedgerFile, source: str, loaded: Loaded) -> int:
    """The number of this import; the same file again that changed nothing is the import of before."""
    with engine.begin() as connection:
        last = connection.execute(
            text(
                "select import_id, sha256 from imports where source = :source order by import_id desc limit 1"
            ),
            {"source": source},
        ).one_or_none()
        if last is not None and last.sha256 == ledger.sha256 and not loaded.added and not loaded.changed:
            return int(last.import_id)
        return int(
            connection.execute(
                text(
                    "insert into imports"
                    " (source, file, sha256, records, entries, repeats, quarantined, added, changed)"
                    " values (:source, :file, :sha256, :records, :entries, :repeats, :quarantined, :added, :changed)"
                    " returning import_id"
                ),
                {
                    "source": source,
                    "file": ledger.name,
                    "sha256": ledger.sha256,
                    "records": loaded.read,
                    "entries": loaded.usable,
                    "repeats": loaded.repeats,
                    "quarantined": loaded.quarantined,
                    "added": loaded.added,
                    "changed": loaded.changed,
                },
            ).scalar_one()
        )
