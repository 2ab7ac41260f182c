"""`reconcile validate`: all expectations alone, over what the database holds. Nothing is written there."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.core.periods import LATEST
from reconcile.core.progress import Progress, silent
from reconcile.core.records import Period
from reconcile.core.writing import check_folder, writing
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.locks import match_locks
from reconcile.db.sql_files import read_sql, run_file
from reconcile.match.engine import match
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import read_period, validate_batch, validate_period, validate_results
from reconcile.validate.library import preload
from reconcile.validate.rules import Batch, Weight
from reconcile.validate.validator import Validator


@dataclass(frozen=True, slots=True)
class Validated:
    """What all suites said: as run.json's `validation`, in lines, and whether the data may be used."""

    suites: Sequence[dict[str, Any]]
    warnings: Sequence[str]
    problems: Sequence[str]
    """What blocks, and what could not be evaluated, which counts as a failure."""


def validate_all(
    settings: Settings, docs: Path | None, progress: Progress, suites_folder: Path | None = None
) -> Validated:
    """Validate every record, every day and the results; write Great Expectations' own pages into `docs`, and the suites
    as its JSON into `suites_folder`.

    Matching is done as the next run would, and taken back. Raises CheckFailed where a result of ours is wrong, and
    before any work UsageError if a folder cannot be written.
    """
    app_ids = settings.known_app_ids()
    if docs is not None:
        check_folder(docs, docs)
    if suites_folder is not None:
        check_folder(suites_folder, suites_folder)
    preload()
    validator = Validator.of(settings, docs=docs)
    if suites_folder is not None:
        validator.write_suites(suites_folder)
    with open_store(settings) as engine:
        validator.try_own(engine)
        for app_id in app_ids:
            _validate_held(engine, validator, app_id, progress)
        period = _period(engine, app_ids, settings.timezone.key)
        if period is not None:
            _validate_results(engine, settings, validator, app_ids, period, progress)
    if docs is not None:
        progress("validate", f"writing pages to {docs}", None)
        with writing(docs):
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
    """Judge what is held of an app, and what of it is in quarantine."""
    for suite, side in (("transactions", "kspay"), ("entries", "ledger")):
        with engine.connect() as connection:
            connection.execute(text("select set_config('reconcile.app', :app_id, false)"), {"app_id": app_id})
            run_file(connection, f"validate/held_{suite}")
            connection.commit()
            with validator.judging(connection, suite, f"judged_{suite}", app_id) as judging:
                progress("validate", f"{app_id}: {judging.size:,} {suite}", None)
                failures = judging.count()
                judging.note(failures, len(judging.name(judging.most)) if judging.most else 0)
            unusable, typed = connection.execute(
                text("select count(*), count(typed) from quarantine where app_id = :app_id and side = :side"),
                {"app_id": app_id, "side": side},
            ).one()
        records = judging.size - typed + unusable
        if records:
            # What blocks is said with the rest at the end.
            with suppress(InputRefused):
                validate_batch(validator, suite, app_id, Batch(records, unusable, 0, 0))


def write_docs_of_held(settings: Settings, folder: Path) -> None:
    """Write Great Expectations' own pages about all records that the database holds, and about the newest results."""
    preload()
    validator = Validator.of(settings, docs=folder)
    app_ids = settings.known_app_ids()
    with open_store(settings) as engine:
        for app_id in app_ids:
            _validate_held(engine, validator, app_id, silent)
        period = _period(engine, app_ids, settings.timezone.key)
        if period is not None:
            _validate_results(engine, settings, validator, app_ids, period, silent)
    validator.write_docs()


def _period(engine: Engine, app_ids: Sequence[str], timezone: str) -> Period | None:
    """The period of the newest finished run, else all days that have a record."""
    with engine.connect() as connection:
        row = connection.execute(
            text(read_sql("validate/newest_period")), {"apps": list(app_ids)}
        ).one_or_none()
        if row is not None:
            return Period(row.period_first, row.period_last)
        first, last = connection.execute(
            text(read_sql("validate/all_days")), {"apps": list(app_ids), "zone": timezone}
        ).one()
    return Period(first, max(first, min(last, LATEST))) if first is not None else None


def _validate_results(
    engine: Engine,
    settings: Settings,
    validator: Validator,
    app_ids: tuple[str, ...],
    period: Period,
    progress: Progress,
) -> None:
    with (
        match_locks(engine, app_ids, progress),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        runs.start_trial(connection, "validate", app_ids, period)
        matched = match(connection, settings, "validate", app_ids, period, progress)
        validate_period(validator, period, read_period(connection, period), settings.currencies)
        validate_results(connection, validator, str(period), matched.checks)
        connection.rollback()
