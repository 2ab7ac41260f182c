"""One app of a run, fetched by another process, perhaps on another machine: only Postgres is shared with it.

What goes there and comes back is small, pickles, and holds no key and no row: the process has settings of its own.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from reconcile.context import RunContext
from reconcile.core.errors import UsageError
from reconcile.core.progress import Progress
from reconcile.core.records import Period
from reconcile.db.engine import open_store
from reconcile.db.locks import LOOK_SECONDS, turn_has_come
from reconcile.db.runs import is_at_work
from reconcile.load.fetch import Read, read_app
from reconcile.load.fetch_plan import plan_fetch
from reconcile.settings import Settings
from reconcile.validate.library import preload
from reconcile.validate.rules import Validation
from reconcile.validate.validator import Validator


@dataclass(frozen=True, slots=True)
class Part:
    """One app of a run, to be fetched."""

    app_id: str
    period: Period
    """Of the run."""
    nightly: bool
    allow: frozenset[str]
    settings: Mapping[str, str]
    """What the run's own settings say of how to fetch: those of the other process must say the same."""


@dataclass(frozen=True, slots=True)
class PartDone:
    """The result of one part."""

    read: Read
    said: Mapping[str, Validation]
    """By the suite of transactions, by grain."""


def part_of(settings: Settings, app_id: str, period: Period, *, nightly: bool, allow: frozenset[str]) -> Part:
    """The part of a run with these settings."""
    return Part(app_id, period, nightly, allow, _how_to_fetch(settings))


def fetch_part(part: Part, turn: str, progress: Progress, waiting: Callable[[], None]) -> PartDone:
    """Fetch it with the settings of this process.

    While another process holds the lock `turn`, the days are only read and staged, and nothing is loaded; `waiting` is
    called when nothing else is left to do.

    Raises what a fetch does, and UsageError where the settings of this process differ, or its database is another.
    """
    settings = Settings.read()
    _check_same(part.settings, _how_to_fetch(settings))
    [app] = settings.kspay_apps((part.app_id,))
    preload()
    validator = Validator.of(settings, part.allow)
    with open_store(settings) as engine:
        run = RunContext(
            settings,
            engine,
            (app.app_id,),
            validator,
            progress,
            run_id="",
            apps=(app,),
            period=part.period,
            nightly=part.nightly,
        )
        if turn_has_come(engine, turn):
            _check_asked_for(engine, part)

        def await_turn() -> None:
            if not turn_has_come(engine, turn):
                waiting()
                while not turn_has_come(engine, turn):
                    time.sleep(LOOK_SECONDS)
            # The lock is free as well where the process that held it is gone.
            _check_asked_for(engine, part)

        read = read_app(run, app, plan_fetch(run, app), turn=await_turn)
    return PartDone(read, validator.said("transactions"))


def _check_asked_for(engine: Engine, part: Part) -> None:
    if not is_at_work(engine, part.app_id, part.period):
        raise UsageError(
            f"no run of app {part.app_id} for {part.period} is at work in the database of the worker that fetches: "
            "either that run is gone, or the worker's RECONCILE_DATABASE_URL names another database"
        )


def _how_to_fetch(settings: Settings) -> dict[str, str]:
    """By name: the settings on which it rests what a fetch takes in."""
    expects = hashlib.sha256(repr(settings.expects).encode()).hexdigest()
    return {
        **settings.rests_on(),
        "RECONCILE_REREAD_DAYS": str(settings.reread_days),
        "[[expect]]": expects if settings.expects else "",
    }


def _check_same(asked: Mapping[str, str], own: Mapping[str, str]) -> None:
    differs = sorted(name for name in {*asked, *own} if asked.get(name) != own.get(name))
    if differs:
        raise UsageError(
            f"the settings of the worker that fetches differ from those of the run in {', '.join(differs)}: "
            "give both the same reconcile.toml and environment"
        )
