"""`reconcile doctor`: checks everything that a run needs, and says what to do about each problem."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, text

from reconcile import inbox
from reconcile.core.errors import CheckFailed, ReconcileError, UsageError
from reconcile.core.periods import EARLIEST, LATEST
from reconcile.core.progress import Progress, silent
from reconcile.core.records import Period
from reconcile.core.wording import counted
from reconcile.db import failures, runs
from reconcile.db.engine import open_store
from reconcile.db.locks import match_locks
from reconcile.db.sql_files import read_sql, run_file
from reconcile.decide import audit_trail
from reconcile.kspay import Credentials, KSPay
from reconcile.match.engine import match
from reconcile.report import close_trail
from reconcile.settings import Settings, unknown_variables

GIVE_UP_SECONDS = 10
"""How long KS Pay is tried, at most."""

_SHOWN = 5  # the number of wrong records that are named
_ALL_DAYS = Period(EARLIEST, LATEST)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `exit_code` is 0 if runs can work; `warns` if something should be done all the same."""

    subject: str
    says: str
    exit_code: int = 0
    warns: bool = False


def examine(*, quick: bool = False, progress: Progress = silent) -> Iterator[Finding]:
    """Check settings, each app's credentials and clock, the database, its decisions and its totals, one by one.

    The quick check leaves out decisions and totals, which grow with the data.
    """
    for line in unknown_variables(os.environ):
        yield Finding("environment", line, warns=True)
    try:
        settings = Settings.read()
    except ReconcileError as error:
        yield Finding("settings", str(error), error.exit_code)
        return
    yield _check("settings", lambda: _settings(settings))
    for app in settings.apps:
        yield _check(f"KS Pay {app.app_id}", lambda app=app: _kspay(app, settings))  # type: ignore[misc]
    if api := os.environ.get("PREFECT_API_URL"):
        yield _prefect(api)
    try:
        with open_store(settings) as engine:
            yield Finding("database", _database(engine, settings))
            for line in failures.untaken(settings.home):
                yield Finding("runs", line, warns=True)
            if settings.notify:
                yield _check("notify", lambda: _notify(settings))
            if settings.expects:
                yield _check("[[expect]]", lambda: _expects(engine, settings))
            if not quick:
                yield _check("decisions", lambda: _decisions(engine))
                yield _check("closed months", lambda: _closed(engine))
                yield _check("totals", lambda: totals(engine, settings, progress))
    except ReconcileError as error:
        yield Finding("database", str(error), error.exit_code)


def _check(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, check())
    except ReconcileError as error:
        return Finding(subject, str(error), error.exit_code)


def _settings(settings: Settings) -> str:
    settings.kspay_apps()
    profile = settings.profiles.get(str(settings.ledger))
    query = profile is not None and profile.query is not None
    if settings.ledger is not None and not query and not settings.ledger.exists():
        raise UsageError(f"RECONCILE_LEDGER: {settings.ledger} does not exist")
    if settings.inbox is not None:
        inbox.check(settings.inbox)
    ledger = settings.ledger or "what was imported"
    return f"{len(settings.apps)} app(s), business time zone {settings.timezone.key}, ledger: {ledger}"


def _kspay(app: Credentials, settings: Settings) -> str:
    with KSPay(app, give_up_seconds=min(GIVE_UP_SECONDS, settings.give_up_seconds)) as kspay:
        codes = sorted(currency.code for currency in kspay.currencies() if currency.code is not None)
        days_off = (kspay.server_today() - datetime.now(UTC).date()).days
    if days_off:
        raise UsageError(
            f"its date and the date here are {days_off} days apart: set the clock of this machine"
        )
    return f"the keys are accepted, the clocks agree on the day, currencies: {', '.join(codes)}"


def _prefect(api: str) -> Finding:
    """What Prefect's server says of its own database. It is no matter of a run's outcome, so it only warns."""
    from httpx import HTTPError  # both are slow to import
    from prefect import get_client

    try:
        with get_client(sync_client=True) as client:
            answer = client.request("GET", "/admin/settings")
            answer.raise_for_status()
            server_settings = answer.json()
    except (RuntimeError, HTTPError, ValueError) as error:
        return Finding(
            "Prefect",
            f"the server of PREFECT_API_URL does not say its settings ({type(error).__name__}): start it, or correct "
            "PREFECT_API_URL and PREFECT_API_AUTH_STRING",
            warns=True,
        )
    host = urlsplit(api).hostname
    return prefect_database(server_settings, here=host in ("127.0.0.1", "localhost", "::1"))


def prefect_database(server_settings: Mapping[str, Any], *, here: bool) -> Finding:
    """Which database a server of Prefect's has that tells these settings; `here` if it runs on this machine.

    It hides the address. So where no driver is set, its SQLite is known by the log beside it, which SQLite keeps as
    long as the database is open.
    """
    of_database = server_settings["server"]["database"]
    driver = of_database.get("driver") or ""
    file = Path(server_settings["home"]) / "prefect.db"
    try:
        is_open = here and file.with_name("prefect.db-wal").exists()
    except OSError:  # a folder of another user
        is_open = False
    if driver.startswith("sqlite") or (not driver and is_open):
        where = f" ({file})" if is_open else ""
        return Finding(
            "Prefect",
            f"its server works on SQLite{where}, which answers 503 to ordinary clicks when several ask at once: give "
            "it a Postgres by PREFECT_API_DATABASE_CONNECTION_URL",
            warns=True,
        )
    if driver:
        return Finding("Prefect", "its server works on PostgreSQL")
    return Finding("Prefect", "its server answers, and no SQLite of it is seen from here")


def _database(engine: Engine, settings: Settings) -> str:
    with engine.connect() as connection:
        where = "RECONCILE_DATABASE_URL" if settings.database_url else f"embedded in {settings.home}"
        release = connection.execute(text("show server_version")).scalar_one()
        row = connection.execute(text(read_sql("doctor/counts"))).one()
    return (
        f"PostgreSQL {release}, {where}: {counted(row.transactions, 'transaction')}, "
        f"{counted(row.entries, 'entry', 'entries')}, "
        f"{row.quarantined:,} in quarantine"
    )


def _notify(settings: Settings) -> str:
    from reconcile.notify import Channels  # its imports cost time, which only installations with channels pay

    Channels(settings)
    return f"{counted(len(settings.notify), 'address', 'addresses')}: reconcile notify --test sends each a message"


def _expects(engine: Engine, settings: Settings) -> str:
    from reconcile.validate.validator import Validator  # imports what only those pay for who have [[expect]]

    return f"{Validator.of(settings).try_own(engine)} of your own, each can be evaluated"


def _decisions(engine: Engine) -> str:
    """Compute the chain of all decisions again."""
    with engine.connect() as connection:
        return (
            f"{audit_trail.verify(connection):,} in the audit trail, each as it was written and none missing"
        )


def _closed(engine: Engine) -> str:
    """Compute the chain of all closed months again."""
    with engine.connect() as connection:
        versions = counted(close_trail.verify(connection), "version")
        return f"{versions}, each and its files in the database as they were closed"


def totals(engine: Engine, settings: Settings, progress: Progress = silent) -> str:
    """Match everything again and check the result; nothing is written.

    The stored matches must equal the result, unless records arrived or people decided since the last run.
    """
    if not settings.app_ids:
        raise CheckFailed("not checked: no app is set (KSPAY_APP_ID)")
    with (
        match_locks(engine, settings.app_ids, progress),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        run_id = "doctor"
        runs.start_trial(connection, run_id, settings.app_ids, _ALL_DAYS)
        before = _remembered(connection, settings)
        run_file(connection, "doctor/before")
        result = match(connection, settings, run_id, settings.app_ids, _ALL_DAYS, silent, match_all=True)
        otherwise = connection.execute(text(read_sql("match/explain/remembered_otherwise"))).scalars().all()
        comparable = before is not None and before == _remembered(connection, settings)
        connection.rollback()
    if comparable and otherwise:
        named = ", ".join(otherwise[:_SHOWN])
        more = f" and {len(otherwise) - _SHOWN} more" if len(otherwise) > _SHOWN else ""
        raise CheckFailed(
            f"the stored matches of {named}{more} differ from those of matching everything again: find out who changed "
            "the database, then restore it from a backup"
        )
    return f"every record has one outcome and all totals are conserved ({len(result.checks)} checks)"


def _remembered(connection: Connection, settings: Settings) -> str | None:
    """The settings that the stored matches depend on; None if records arrived or people decided since."""
    row = connection.execute(
        text(read_sql("doctor/remembered")),
        {"apps": list(settings.app_ids)},
    ).one()
    return None if row.waiting else row.policies
