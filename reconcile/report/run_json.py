"""The document of a run: what run.json says, and what the run table keeps of it."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, text

from reconcile.context import RunContext
from reconcile.core.periods import end_of_day
from reconcile.db.sql_files import read_sql
from reconcile.decide import audit_trail
from reconcile.inbox import Inbox
from reconcile.load.fetch import Fetched
from reconcile.load.import_ledger import Imported
from reconcile.match.engine import Matched
from reconcile.report import csv_files
from reconcile.report.figures import figures


@dataclass(frozen=True, slots=True)
class StageResults:
    """What the stages of a run gave, up to the report."""

    started_at: datetime
    seconds: Mapping[str, float]
    """By stage."""
    inbox: Inbox
    imported: Sequence[Imported]
    fetched: Sequence[Fetched]
    matched: Matched
    unread: Sequence[str]
    """A line for each ledger that was not read since somebody still writes it, and for each app that failed."""


def document(connection: Connection, run: RunContext, results: StageResults) -> dict[str, Any]:
    """All of run.json but `files`; `connection` is the one of the matching."""
    fetched, matched, currencies = results.fetched, results.matched, run.settings.currencies
    return {
        "run_id": run.run_id,
        "from": run.period.first.isoformat(),
        "to": run.period.last.isoformat(),
        "timezone": run.settings.timezone.key,
        "settings": run.settings.rests_on(),
        "apps": [app.app_id for app in run.apps],
        "started_at": _instant(results.started_at),
        "finished_at": _instant(datetime.now(UTC)),
        "seconds": dict(results.seconds),
        "fetched": [asdict(app) for app in fetched],
        "imported": _together(results.imported),
        "inbox": _inbox(results.inbox),
        "decisions": audit_trail.last_record(connection),
        "matched": dict(matched.matches),
        "discrepancies": dict(matched.discrepancies),
        "new": matched.new,
        "reopened": matched.reopened,
        "resolved": matched.resolved,
        "cleared": len(matched.cleared),
        "cleared_discrepancies": list(matched.cleared),
        "proposed": (proposed := _proposed(connection)),
        "quarantined": _quarantined(connection),
        "totals": csv_files.read_totals(connection, currencies),
        **figures(connection, run.run_id, run.period, currencies),
        "validation": run.validator.summary(),
        "checks": list(matched.checks),
        "workbook_matches": run.settings.workbook_matches,
        "warnings": [
            *results.inbox.warnings,
            *(f"inbox: {says}" for file in results.inbox.imported for says in file.warnings),
            *results.unread,
            *(f"ledger: {says}" for file in results.imported for says in file.warnings),
            *_not_over(run, results.started_at),
            *(line for app in fetched for line in app.warnings()),
            *matched.warnings,
            *_waiting(proposed),
            *run.validator.warnings(),
        ],
        "files": {},
        "versions": {
            "kspay-reconcile": version("kspay-reconcile"),
            "python": platform.python_version(),
            "postgresql": connection.execute(text("show server_version")).scalar_one(),
        },
    }


def _not_over(run: RunContext, started_at: datetime) -> list[str]:
    """A warning where the run began within its last day: it lacks what came later on it."""
    last, timezone = run.period.last, run.settings.timezone
    if started_at >= end_of_day(last, timezone):
        return []
    return [
        f"the last day is not over: the run began before the end of {last} in {timezone.key}, and lacks what came "
        "later: run it again after that"
    ]


def _inbox(inbox: Inbox) -> dict[str, Any]:
    decided = ("file", "by", "decisions", "notes", "unchanged")
    return {
        "imported": [asdict(file) for file in inbox.imported],
        "decided": [{name: getattr(file, name) for name in decided} for file in inbox.decided],
        "refused": [asdict(file) for file in inbox.refused],
    }


def _together(imported: Sequence[Imported]) -> dict[str, Any] | None:
    """What a run imported: of one file all that is known of it; of several the sums, and `files` each."""
    if len(imported) <= 1:
        return asdict(imported[0]) if imported else None
    counts = ("records", "entries", "repeats", "quarantined", "added", "changed", "withdrawn", "passed_over")
    sums = {name: sum(getattr(file, name) for file in imported) for name in counts}
    return {
        "file": f"{len(imported)} files",
        **sums,
        "files": [asdict(file) for file in imported],
    }


def _proposed(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(text(read_sql("report/proposed"))).mappings()]


def _waiting(proposed: Sequence[Mapping[str, Any]]) -> list[str]:
    if not proposed:
        return []
    what, them = (
        ("1 decision waits", "it") if len(proposed) == 1 else (f"{len(proposed)} decisions wait", "them")
    )
    return [
        f"{what} for another person, who must take {them} too: the sentence of each says by whom it is proposed"
    ]


def _quarantined(connection: Connection) -> dict[str, int]:
    rows = connection.execute(text("select side, count(*) from result_unusable group by side order by side"))
    return dict(rows.tuples().all())


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
