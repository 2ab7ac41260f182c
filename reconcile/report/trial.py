"""`reconcile try`: what the last run would find under other settings. Nothing is written.

The records that are known now are matched twice for the period of the last run, each time in a transaction that is
taken back: under the settings as they are, and under the others. What is open after both is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pandas import DataFrame
from sqlalchemy import Connection, Engine, text

from reconcile.core.discrepancies import TYPES
from reconcile.core.errors import UsageError
from reconcile.core.money import Currencies
from reconcile.core.progress import Progress
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.locks import match_locks
from reconcile.db.runs import RunRecord
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.report.frames import Total, frame_of, totals
from reconcile.report.sentences import sentence
from reconcile.settings import Settings

_RUN = "try"
"""The id of the run that is taken back; no run that stays has one without a period."""

COMPARED = ("type", "severity", "currency", "amount", "transaction_id", "ledger_id")
"""What makes an item another one, beside its id; the amount is what is at stake."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What two matchings of one period differ in. Amounts are plain decimals as text, each of one currency."""

    run_id: str
    first: str
    last: str
    settings: Mapping[str, Mapping[str, str]]
    """By its name, each setting that differs: `before` and `after`; empty where there is none."""
    matched: Sequence[Mapping[str, Any]]
    """By rule, how many matches: `before` and `after`."""
    discrepancies: Sequence[Mapping[str, Any]]
    """By type and currency, the number of open items and what is at stake in them: `before` and `after`."""
    changed: Sequence[Mapping[str, Any]]
    """Each item that is open only before or only after, or that is another one: its `discrepancy_id`, and what it is
    `before` and `after`, None where it is not open."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one matching found: the open items as a frame, and their rows by id."""

    frame: DataFrame
    rows: Mapping[str, Mapping[str, str]]
    matched: Mapping[str, int]


def try_settings(engine: Engine, settings: Settings, other: Settings, progress: Progress) -> Tried:
    """Compare what the last run would find under both settings.

    Raises UsageError if no run of these apps has finished, or if the settings are the same.
    """
    before, after = settings.rests_on(), other.rests_on()
    differ = {
        name: {"before": before.get(name, ""), "after": after.get(name, "")}
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
    if not differ:
        raise UsageError("nothing to try: every setting is as it is already")
    run = _last_run(engine, settings)
    period = Period(run.period_first, run.period_last)
    found = []
    with (
        match_locks(engine, run.apps, progress),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        for tried in (settings, other):
            with connection.begin_nested() as taken_back:
                found.append(_found(connection, tried, tuple(run.apps), period, progress))
                taken_back.rollback()
        connection.rollback()
    return Tried(
        run.run_id,
        period.first.isoformat(),
        period.last.isoformat(),
        differ,
        [
            {"rule": rule, "before": found[0].matched.get(rule, 0), "after": found[1].matched.get(rule, 0)}
            for rule in sorted({*found[0].matched, *found[1].matched})
        ],
        _totals(found[0].frame, found[1].frame, settings.currencies),
        _changed(found[0], found[1]),
    )


def _last_run(engine: Engine, settings: Settings) -> RunRecord:
    try:
        run = runs.one(engine, "latest")
    except UsageError:
        raise UsageError(
            "no run has finished yet, so there is nothing to compare with: start one first"
        ) from None
    if not {*run.apps} <= {*settings.known_app_ids()}:
        raise UsageError(
            f"the last run, {run.run_id}, is of other apps ({', '.join(run.apps)}) than the settings name"
        )
    return run


def _found(
    connection: Connection, settings: Settings, apps: tuple[str, ...], period: Period, progress: Progress
) -> _Found:
    runs.start_trial(connection, _RUN, apps, period)
    matched = match(connection, settings, _RUN, apps, period, progress)
    rows: dict[str, Mapping[str, str]] = {}
    items = []
    for row in connection.execute(text(read_sql("report/trial"))).mappings():
        shown = {
            "type": row["type"],
            "severity": row["severity"],
            "currency": row["at_stake_currency"],
            "amount": settings.currencies.written(row["at_stake"], row["at_stake_currency"]),
            "transaction_id": row["transaction_id"] or "",
            "ledger_id": row["ledger_id"] or "",
            "detail": sentence(dict(row), settings.currencies, settings.date_tolerance_days),
        }
        rows[row["discrepancy_id"]] = shown
        items.append((row["type"], row["at_stake_currency"], row["at_stake"]))
    return _Found(frame_of(items, "type", "currency", "amount"), rows, matched.matches)


def _totals(before: DataFrame, after: DataFrame, currencies: Currencies) -> list[dict[str, Any]]:
    both = [totals(frame, "type", "currency") for frame in (before, after)]
    keys = sorted({*both[0], *both[1]}, key=lambda key: ([*TYPES].index(key[0]), key[1]))
    return [
        {
            "type": kind,
            "currency": currency,
            "before": _written(both[0].get((kind, currency)), currency, currencies),
            "after": _written(both[1].get((kind, currency)), currency, currencies),
        }
        for kind, currency in keys
    ]


def _written(total: Total | None, currency: str, currencies: Currencies) -> dict[str, Any]:
    count, amount = total or (0, 0)
    return {"count": count, "amount": currencies.written(Decimal(amount), currency)}


def _changed(before: _Found, after: _Found) -> list[dict[str, Any]]:
    """In the order of discrepancies.csv: what is no longer open or another item, then what is new."""
    ids = [
        *before.rows,
        *(discrepancy_id for discrepancy_id in after.rows if discrepancy_id not in before.rows),
    ]
    changed = []
    for discrepancy_id in ids:
        was, will = before.rows.get(discrepancy_id), after.rows.get(discrepancy_id)
        if was is None or will is None or any(was[name] != will[name] for name in COMPARED):
            changed.append({"discrepancy_id": discrepancy_id, "before": was, "after": will})
    return changed
