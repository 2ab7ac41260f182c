"""What a run fetches of an app: its period, the days before it, and older days again that may have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Engine

from reconcile.context import RunContext
from reconcile.core.periods import last_closed_day
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.kspay import Credentials
from reconcile.load.refetch_schedule import days_to_refetch, turns_since
from reconcile.settings import Settings


@dataclass(frozen=True, slots=True)
class RefetchById:
    """Which older transactions to ask for by id: counted from the as-of day, and the turns that are due."""

    as_of: date
    turns: frozenset[int]


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """The business days to fetch, and whether to ask by id for what may have changed outside of them."""

    periods: Sequence[Period]
    by_id: RefetchById | None


def lookback(settings: Settings) -> Period:
    """The last RECONCILE_LOOKBACK_DAYS days that are over."""
    last = last_closed_day(datetime.now(UTC), settings.timezone)
    return Period(last - timedelta(days=settings.lookback_days - 1), last)


def default_period(engine: Engine, settings: Settings, app_ids: tuple[str, ...]) -> Period:
    """The period of a run without dates: the lookback days, and all days since the last finished run."""
    period = lookback(settings)
    first = period.first
    for app_id in app_ids:
        finished = runs.last_finished_day(engine, app_id)
        if finished is not None:
            first = min(first, finished + timedelta(days=1))
    return Period(first, period.last)


def plan_fetch(run: RunContext, app: Credentials) -> FetchPlan:
    """What this run fetches of one app."""
    settings, period = run.settings, run.period
    # The days before the period hold possible partners; they are not thereby covered.
    days = Period(period.first - timedelta(days=settings.date_tolerance_days), period.last)
    turns = turns_since(runs.last_finished_day(run.engine, app.app_id), period.last)
    again: list[Period] = []
    if run.nightly:
        covered = runs.covered(run.engine, app.app_id)
        again = days_to_refetch(covered, settings.reread_days, days.first, period.last, turns)
    return FetchPlan([days, *again], RefetchById(period.last, turns))
