"""What a command shows a person: progress on standard error, tables on standard output."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from reconcile.decisions import Taken
from reconcile.extract import Imported
from reconcile.progress import Progress
from reconcile.runs import RunRecord

OUTCOMES = (
    "matched",
    "matched_with_discrepancy",
    "unmatched",
    "timing",
    "excluded",
    "resolved",
    "quarantined",
)
_EVERY_SECONDS = 5  # how often a log, which is no terminal, gets another line of the same stage


@contextmanager
def showing_progress() -> Iterator[Progress]:
    """A bar on a terminal; elsewhere a line for every stage, and one now and then while it works."""
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.fields[stage]:>7}"),
            BarColumn(30),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Bar(*columns, console=Console(stderr=True)) as bar:
            tasks: dict[str, Any] = {}

            def show(stage: str, doing: str, done: float | None, /) -> None:
                for name, task in tasks.items():
                    if name != stage:
                        bar.update(task, total=1, completed=1)
                if stage not in tasks:
                    tasks[stage] = bar.add_task(doing, total=None, stage=stage)
                bar.update(
                    tasks[stage], description=doing, total=None if done is None else 1, completed=done or 0
                )

            yield show
            for task in tasks.values():
                bar.update(task, total=1, completed=1)
    else:
        last: dict[str, float] = {}

        def log(stage: str, doing: str, _done: float | None, /) -> None:
            now = monotonic()
            if stage not in last or now - last[stage] >= _EVERY_SECONDS:
                last[stage] = now
                sys.stderr.write(f"{stage}: {doing}\n")
                sys.stderr.flush()

        yield log


def table_console() -> Console:
    """Where tables go: standard output."""
    # Piped output is read by programs and people's eyes alike: as wide as the table needs.
    return Console() if sys.stdout.isatty() else Console(width=140, no_color=True)


def show_run(report: Mapping[str, Any], folder: Path | None) -> None:
    """The totals per currency, the discrepancies by type, and where the files are."""
    console = table_console()
    _totals(console, report)
    _counts(console, "Discrepancies", report["discrepancies"])
    _counts(console, "Matches by rule", report["matched"])
    _say(console, f"{report['new']} new, {report['cleared']} cleared since the runs before")
    for warning in report["warnings"]:
        _say(console, f"warning: {warning}")
    if folder is not None:
        _say(console, f"Report: {folder / 'discrepancies.csv'}")


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _totals(console: Console, report: Mapping[str, Any]) -> None:
    """How many records of each side and currency have which outcome, and what all of them add up to."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in report["totals"]:
        rows.setdefault((row["scope"], row["currency"], row["side"]), {})[row["outcome"]] = row
    shown = [name for name in OUTCOMES if any(name in outcomes for outcomes in rows.values())]
    table = Table()
    for column in ("scope", "currency", "side"):
        table.add_column(column)
    for name in (*shown, "total", "amount"):
        table.add_column(name.replace("matched_with_discrepancy", "discrepancy"), justify="right")
    # The period first, and the two sides of a currency under each other; records without one come last.
    order = sorted(rows, key=lambda key: (key[0] != "period", not key[1], key[1], key[2]))
    for number, key in enumerate(order):
        counts = [f"{rows[key][name]['count']:,}" if name in rows[key] else "" for name in (*shown, "total")]
        last = number + 1 == len(order) or order[number + 1][:2] != key[:2]
        amount = rows[key]["total"]["amount"]
        table.add_row(key[0], key[1] or "unknown", key[2], *counts, amount, end_section=last)
    _say(console, f"Reconciled {report['from']} to {report['to']} ({report['timezone']}), in records")
    console.print(table)


def _counts(console: Console, title: str, counts: Mapping[str, int]) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    if not counts:
        table.add_row("none", "0")
    _say(console, title)
    console.print(table)


def show_decisions(taken: Taken, *, dry_run: bool) -> None:
    """How many decisions a file brought; with `dry_run` a line for each that it would bring."""
    console = table_console()
    if dry_run:
        for change in taken.changes:
            _say(console, f"{change.discrepancy_id}  {change.type}  {change.decision}  {change.covers}")
    _say(
        console,
        f"{taken.file}: {_count(taken.decisions, 'decision')}, {_count(taken.notes, 'note')}, "
        f"{_count(taken.unchanged, 'row')} unchanged"
        + (" (nothing was written: --dry-run)" if dry_run else ""),
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def run_table(records: Sequence[RunRecord]) -> None:
    """One line a run."""
    if not records:
        _say(table_console(), "no runs yet")
        return
    table = Table()
    for column in ("run", "command", "state", "started (UTC)", "seconds", "discrepancies", "error"):
        table.add_column(column, no_wrap=column != "error")
    for record in records:
        seconds = record.finished_at - record.started_at if record.finished_at else None
        found = (
            sum(record.report["discrepancies"].values()) if record.report and record.command == "run" else ""
        )
        table.add_row(
            record.run_id,
            record.command,
            record.state,
            f"{record.started_at:%Y-%m-%d %H:%M:%S}",
            f"{seconds.total_seconds():.1f}" if seconds else "",
            str(found),
            record.error or "",
        )
    table_console().print(table)


def window_table(windows: Sequence[Mapping[str, Any]]) -> None:
    """What was fetched, window by window, and why nothing of it can be missing."""
    if not windows:
        return
    table = Table()
    for column in ("app", "window", "pages", "records", "distinct", "passes", "first", "last", "proof"):
        numeric = column in ("pages", "records", "distinct", "passes")
        table.add_column(column, justify="right" if numeric else "left", no_wrap=column != "proof")
    for window in windows:
        first, last = window["first_created_at"], window["last_created_at"]
        table.add_row(
            window["app_id"],
            f"{window['window_first']}..{window['window_last']}",
            *(f"{window[name]:,}" for name in ("pages", "records", "distinct_ids", "passes")),
            f"{first:%Y-%m-%d %H:%M}" if first else "",
            f"{last:%Y-%m-%d %H:%M}" if last else "",
            window["proof"],
        )
    console = table_console()
    _say(console, "Fetched (times in UTC)")
    console.print(table)


def show_imports(imports: Sequence[Imported]) -> None:
    """A line for each import, and their sums where there are several."""
    console = Console(highlight=False, soft_wrap=True)
    for one in imports:
        console.print(
            f"import {one.import_id}: {one.records:,} rows of {one.file}: {_changes([one])}", markup=False
        )
    if len(imports) > 1:
        console.print(
            f"together {sum(one.records for one in imports):,} rows of {len(imports)} files: {_changes(imports)}",
            markup=False,
        )


def _changes(imports: Sequence[Imported]) -> str:
    entries, added, changed, repeats, quarantined, withdrawn = (
        sum(getattr(one, name) for one in imports)
        for name in ("entries", "added", "changed", "repeats", "quarantined", "withdrawn")
    )
    return (
        f"{added:,} new, {changed:,} changed, {entries - added - changed:,} as they were, {repeats:,} repeated, "
        f"{quarantined:,} in quarantine" + (f", {withdrawn:,} withdrawn" if withdrawn else "")
    )
