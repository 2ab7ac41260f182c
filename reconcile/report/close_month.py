"""Closes a month: freezes its statement as the next version, with everything that it rests on.

A closed version is never changed. What moved since is a statement of its own, from the closing of that version to the
newest run of the month.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.metadata import version as version_of
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, Engine, text

from reconcile.core.errors import InputRefused, ReconcileError, UsageError
from reconcile.core.money import grouped
from reconcile.core.periods import end_of_day
from reconcile.core.writing import writing
from reconcile.db import runs
from reconcile.db.sql_files import read_sql
from reconcile.decide import audit_trail
from reconcile.report import close_trail
from reconcile.report.close_trail import Close
from reconcile.report.statement import (
    Line,
    Position,
    Statement,
    between,
    closing_of,
    month_days,
    openings,
    out_of_order,
    positions,
    statement_of,
)
from reconcile.report.statement_files import Approval, change_files, statement_files, write_whole
from reconcile.report.verify import changed_files, stored_report
from reconcile.settings import Settings

JSON = "close.json"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a month cannot be closed."""

    app_id: str  # empty where it is about no app alone
    reason: str
    says: str


class NotClosed(InputRefused):
    """A month that cannot be closed yet; nothing was written."""

    def __init__(self, month: str, reasons: Sequence[Reason]) -> None:
        why = "1 reason" if len(reasons) == 1 else f"{len(reasons)} reasons"
        super().__init__(f"{month} cannot be closed, for {why}: see the table; nothing was written")
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Closed:
    """A version of a month, and whether this command made it."""

    close: Close
    made: bool
    folder: Path
    since: Statement | None
    """From the closing of the version before to this one's; None of a first version."""
    warnings: tuple[str, ...]


def close_month(
    engine: Engine, settings: Settings, month: str, by: str, shown: Mapping[str, str], out: Path
) -> Closed:
    """Freeze the statement of a month as its next version; `shown` are the settings, without secrets.

    Where nothing ran since the last version, that stands and no other is made. Raises UsageError for a month that is
    not over, NotClosed with the reasons if it cannot be closed.
    """
    _, last = month_days(month, "close")
    today = datetime.now(settings.timezone).date()
    if last >= today:
        raise UsageError(f"{month} is not over: today is {today} in {settings.timezone.key}")
    with (
        close_trail.alone(engine),
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
    ):
        before = close_trail.newest(connection, month)
        if reasons := _reasons(engine, connection, settings, month):
            raise NotClosed(month, reasons)
        statement = statement_of(connection, month, settings.timezone)
        warnings = warnings_of(connection, statement)
        if before is not None and _same_runs(before, statement):
            return Closed(before, False, write_closed(connection, before, out), None, warnings)
        since = None if before is None else _since(connection, before, statement.closing)
        at: datetime = connection.execute(text("select now()")).scalar_one()
        version = 1 if before is None else before.version + 1
        files = _files(statement, since, settings, Approval(by, at, version), before)
        content = {
            "month": month,
            "version": version,
            "closed_by": by,
            "opening": _stored(connection, statement.opening),
            "closing": _stored(connection, statement.closing),
            "lines": [_line(line) for line in statement.lines],
            "changed_since_before": None if since is None else [_line(line) for line in since.lines],
            "preparers": list(statement.preparers),
            "decisions": audit_trail.last_record(connection),
            "settings": dict(shown),
            "files": {
                name: {"sha256": hashlib.sha256(held).hexdigest(), "bytes": len(held)}
                for name, held in files.items()
            },
            "versions": {"kspay-reconcile": version_of("kspay-reconcile")},
        }
        close_trail.append(connection, month, by, content, files)
        close = close_trail.newest(connection, month)
        assert close is not None
        # Aside before the commit, since a folder that cannot be written closes nothing; in place after it, so that no
        # file tells of a version that the database does not have. Who dies between the two leaves a version without
        # its files: the next command that shows it writes them.
        aside = _write_aside(connection, close, out)
        connection.commit()
        folder = _move_in_place(aside, close, out)
    return Closed(close, True, folder, since, warnings)


def moved_since(connection: Connection, close: Close) -> Statement:
    """What moved the open items of a month since a version of it was closed."""
    return _since(connection, close, positions(connection, month_days(close.month)[1]))


def closed_statement(connection: Connection, close: Close) -> Statement:
    """The lines of a closed version, as they were closed."""
    lines = [Line(**{**line, "amount": Decimal(line["amount"])}) for line in close.content["lines"]]
    opening, closing = (closing_of(connection, close.content[name]) for name in ("opening", "closing"))
    return Statement(close.month, month_days(close.month)[1], opening, closing, lines, ())


def write_closed(connection: Connection, close: Close, out: Path) -> Path:
    """Write the files of a closed version into its folder in `out`, byte by byte as they were closed."""
    return _move_in_place(_write_aside(connection, close, out), close, out)


def _folder(close: Close, out: Path) -> Path:
    return out / "closed" / f"{close.month}-v{close.version}"


def _write_aside(connection: Connection, close: Close, out: Path) -> Path:
    """Write the files into a hidden folder beside their own, which goes if that fails. What a command that died left
    there goes, too."""
    files = close_trail.files_of(connection, close)
    files[JSON] = (json.dumps(close.content, indent=2, ensure_ascii=False) + "\n").encode()
    folder = _folder(close, out)
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        with writing(f"--out {out}"):
            aside.mkdir(parents=True)
            for name, held in files.items():
                (aside / name).write_bytes(held)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return aside


def _move_in_place(aside: Path, close: Close, out: Path) -> Path:
    """Give the files their folder. One that is there and the same stays as it is."""
    folder = _folder(close, out)
    with writing(f"--out {out}"):
        folder.mkdir(exist_ok=True)
        for path in sorted(aside.iterdir()):
            there = folder / path.name
            if not there.is_file() or there.read_bytes() != path.read_bytes():
                path.replace(there)
        shutil.rmtree(aside)
    return folder


def write_since(since: Statement, close: Close, settings: Settings, out: Path) -> list[Path]:
    """Write what moved since a version was closed, if anything did."""
    if not since.movements:
        return []
    return write_whole(
        out, lambda aside: change_files(since, settings.currencies, settings.dialect, aside, close.version)
    )


def _same_runs(close: Close, statement: Statement) -> bool:
    def numbers(found: Mapping[str, Position]) -> dict[str, int]:
        return {app_id: position.run for app_id, position in found.items()}

    return all(
        {app_id: position["run"] for app_id, position in close.content[name].items()} == numbers(found)
        for name, found in (("opening", statement.opening), ("closing", statement.closing))
    )


def _since(connection: Connection, close: Close, closing: Mapping[str, Position]) -> Statement:
    return between(connection, close.month, closing_of(connection, close.content["closing"]), closing)


def _files(
    statement: Statement,
    since: Statement | None,
    settings: Settings,
    approval: Approval,
    before: Close | None,
) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        paths = statement_files(statement, settings.currencies, settings.dialect, Path(folder), approval)
        if since is not None and before is not None:
            paths += change_files(since, settings.currencies, settings.dialect, Path(folder), before.version)
        return {path.name: path.read_bytes() for path in paths}


def _stored(connection: Connection, found: Mapping[str, Position]) -> dict[str, dict[str, object]]:
    """Each position with the files of its run, whose reports it rests on."""
    stored = {}
    for app_id, position in found.items():
        files = connection.scalar(
            text("select report -> 'files' from runs where number = :run"), {"run": position.run}
        )
        stored[app_id] = {
            "run": position.run,
            "run_id": position.run_id,
            "as_of": position.as_of.isoformat(),
            "decisions": position.decisions,
            "files": {name: held["sha256"] for name, held in (files or {}).items()},
        }
    return stored


def _line(line: Line) -> dict[str, object]:
    return {**asdict(line), "amount": f"{line.amount:f}"}


def warnings_of(connection: Connection, statement: Statement) -> tuple[str, ...]:
    """What came after the run of the closing, and so is not in the statement; and months beside it that do not fit."""
    warnings = []
    known = max((position.decisions for position in statement.closing.values()), default=0)
    since = audit_trail.last_record(connection)["records"] - known
    if since:
        what = "1 decision or note" if since == 1 else f"{since} decisions and notes"
        warnings.append(f"{what} came after the run of the closing: run the month again to have them in")
    first, last = month_days(statement.month)
    before, after = (f"{day:%Y-%m}" for day in (first - timedelta(days=1), last + timedelta(days=1)))
    ran = any(f"{position.as_of:%Y-%m}" == before for position in statement.opening.values())
    if ran and close_trail.newest(connection, before) is None:
        warnings.append(
            f"{before} is not closed, so {statement.month} opens as its newest run ended: close {before}, and then "
            f"{statement.month} again"
        )
    following = close_trail.newest(connection, after)
    if following is not None and any(
        following.content["opening"].get(app_id, {}).get("run") != position.run
        for app_id, position in statement.closing.items()
    ):
        warnings.append(
            f"{following.name} opens otherwise than {statement.month} ends now: close {after} again"
        )
    return tuple(warnings)


def _reasons(engine: Engine, connection: Connection, settings: Settings, month: str) -> list[Reason]:
    first, last = month_days(month)
    apps = settings.known_app_ids()
    asked = {"app_ids": list(apps), "first": first, "last": last, "timezone": settings.timezone.key}
    reasons = [
        Reason(row.app_id, "not covered", _not_covered(row))
        for row in connection.execute(text(read_sql("report/close/uncovered")), asked)
    ]
    closing = positions(connection, last)
    for app_id in apps:
        says = ""
        if app_id not in closing or closing[app_id].as_of < last:
            says = f"no finished run is as of {last}"
        elif runs.one(engine, closing[app_id].run_id).started_at < end_of_day(last, settings.timezone):
            says = (
                f"run {closing[app_id].run_id} began before {last} was over in {settings.timezone.key}: run the month "
                f"again, with --from {first} --to {last}"
            )
        if says:
            reasons.append(Reason(app_id, "not run to its end", says))
    reasons += [
        Reason(app_id, "runs out of order", f"{says}: run the month again, with --from {first} --to {last}")
        for app_id, says in out_of_order(openings(connection, month), closing).items()
    ]
    if not reasons:
        for check in (
            lambda: statement_of(connection, month, settings.timezone),
            lambda: audit_trail.verify(connection),
            lambda: close_trail.verify(connection),
        ):
            reasons += _failing("", check)
        for app_id in apps:
            reasons += _failing(app_id, lambda: _check_files(runs.one(engine, closing[app_id].run_id)))  # noqa: B023
    return reasons + _undecided(connection, settings, closing)


def _not_covered(row: Any) -> str:
    several = row.last_day > row.first_day
    days = f"{row.first_day} to {row.last_day}" if several else f"{row.first_day}"
    if not row.is_in_part:
        return f"no finished run covers {days}"
    were, them = ("were", "them") if several else ("was", "it")
    return f"{days} {were} not over when the runs that cover {them} began: run {them} again"


def _failing(app_id: str, check: Callable[[], object]) -> list[Reason]:
    try:
        check()
    except ReconcileError as error:
        return [Reason(app_id, "a check fails", str(error))]
    return []


def _check_files(record: runs.RunRecord) -> None:
    """The files of a run must be what it wrote; what else lies beside them does not count."""
    stored, folder = stored_report(record)
    if changed := changed_files(stored, folder, sorted(stored["files"])):
        what = "; ".join(f"{name} {says}" for name, says in changed.items())
        raise InputRefused(f"{folder} is not as run {record.run_id} left it: {what}")


def _undecided(connection: Connection, settings: Settings, closing: Mapping[str, Position]) -> list[Reason]:
    limits = settings.close_undecided
    rows = connection.execute(
        text(read_sql("report/close/undecided")),
        {
            "runs": [position.run for position in closing.values()],
            "currencies": list(limits),
            "limits": list(limits.values()),
        },
    )
    return [
        Reason(
            row.app_id,
            "not decided",
            f"{row.discrepancy_id}, {row.type}: {row.currency} "
            f"{grouped(settings.currencies.written(row.amount, row.currency), row.currency)} "
            f"is more than {grouped(settings.currencies.written(limits[row.currency], row.currency), row.currency)}",
        )
        for row in rows
    ]
