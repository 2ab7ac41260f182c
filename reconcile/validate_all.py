"""`reconcile validate`: all expectations alone, over what the database holds. Nothing is written there."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.progress import Progress
from reconcile.core.records import Entry, Period, Place, Transaction
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.locks import match_locks
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import validate_batch, validate_period, validate_results
from reconcile.validate.rules import Batch, Weight
from reconcile.validate.validator import BATCH, Validator, preload

_HELD = Place("database", 0)


@dataclass(frozen=True, slots=True)
class Validated:
    """What all suites said: as run.json's `validation`, in lines, and whether the data may be used."""

    suites: Sequence[dict[str, Any]]
    warnings: Sequence[str]
    problems: Sequence[str]
    """What blocks, and what could not be evaluated: that is a failure, and no success."""


def validate_all(settings: Settings, docs: Path | None, progress: Progress) -> Validated:
    """BatchCheck every record, every day and the results; write Great Expectations' own pages into `docs`.

    Matching is done as the next run would, and taken back. Raises CheckFailed where a result of ours is wrong.
    """
    app_ids = settings.known_app_ids()
    preload()
    with open_store(settings) as engine:
        validator = Validator(settings.currencies, docs=docs)
        for app_id in app_ids:
            _validate_held(engine, validator, app_id, progress)
        period = _period(engine, app_ids, settings.timezone.key)
        if period is not None:
            _validate_results(engine, settings, validator, app_ids, period, progress)
    if docs is not None:
        progress("validate", f"writing pages to {docs}", None)
        validator.write_docs()
    suites = validator.summary()
    problems = [
        f"{suite['suite']}: nothing was evaluated: the database holds none of it"
        for suite in suites
        if not suite["evaluated"]
    ]
    if period is None:
        problems.append("results: nothing was evaluated: the database holds no record")
    problems += [
        f"{suite['suite']}: {says}"
        for suite in suites
        for failure in suite["failures"]
        if failure["weight"] == Weight.BLOCKS
        for says in failure.get("says", ())
    ]
    blocking = set(problems)
    warnings = [line for line in validator.warnings() if line.rpartition(" (")[0] not in blocking]
    return Validated(suites, warnings, problems)


def _validate_held(engine: Engine, validator: Validator, app_id: str, progress: Progress) -> None:
    for suite, side in (("transactions", "kspay"), ("entries", "ledger")):
        records = 0
        with engine.connect() as connection:
            rows = _transactions(connection, app_id) if side == "kspay" else _entries(connection, app_id)
            while batch := list(islice(rows, BATCH)):
                records += len(batch)
                progress("validate", f"{app_id}: {records:,} {suite}", None)
                if side == "kspay":
                    validator.transactions(batch)  # type: ignore[arg-type]  # of this side
                else:
                    validator.entries(batch)  # type: ignore[arg-type]
        with engine.connect() as connection:
            unusable = connection.execute(
                text("select count(*) from quarantine where app_id = :app_id and side = :side"),
                {"app_id": app_id, "side": side},
            ).scalar_one()
        if records or unusable:
            # What blocks is said with the rest at the end.
            with suppress(InputRefused):
                validate_batch(validator, suite, app_id, Batch(records + unusable, unusable, 0, 0))


def _transactions(connection: Connection, app_id: str) -> Iterator[Transaction]:
    rows = connection.execution_options(yield_per=BATCH).execute(
        text(read_sql("validate/transactions")), {"app_id": app_id}
    )
    for row in rows.tuples():
        values: list[Any] = [*row, _HELD]
        yield Transaction(*values)


def _entries(connection: Connection, app_id: str) -> Iterator[Entry]:
    rows = connection.execution_options(yield_per=BATCH).execute(
        text(read_sql("validate/entries")), {"app_id": app_id}
    )
    for row in rows.tuples():
        values: list[Any] = [*row, _HELD]
        yield Entry(*values)


def _period(engine: Engine, app_ids: Sequence[str], timezone: str) -> Period | None:
    """That of the newest finished run, else all days that have a record."""
    with engine.connect() as connection:
        row = connection.execute(
            text(read_sql("validate/newest_period")), {"apps": list(app_ids)}
        ).one_or_none()
        if row is not None:
            return Period(row.period_first, row.period_last)
        first, last = connection.execute(
            text(read_sql("validate/all_days")), {"apps": list(app_ids), "zone": timezone}
        ).one()
    return Period(first, max(first, min(last, date(9000, 12, 31)))) if first is not None else None


def _validate_results(
    engine: Engine,
    settings: Settings,
    validator: Validator,
    app_ids: tuple[str, ...],
    period: Period,
    progress: Progress,
) -> None:
    with (
        match_locks(engine, app_ids),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        runs.start_trial(connection, "validate", app_ids, period)
        matched = match(connection, settings, "validate", app_ids, period, progress)
        validate_period(connection, validator, period, settings.currencies)
        validate_results(connection, validator, str(period), matched.checks)
        connection.rollback()
