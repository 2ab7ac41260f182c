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

from reconcile.progress import Progress
from reconcile.runs import RunRecord

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


def _console() -> Console:
    # Piped output is read by programs and people's eyes alike: as wide as the table needs.
    return Console() if sys.stdout.isatty() else Console(width=140, no_color=True)


def show_run(report: Mapping[str, Any], folder: Path | None) -> None:
    """The totals per currency, the discrepancies by type, and where the files are."""
    console = _console()
    table = Table(
        title=f"Reconciled {report['from']} to {report['to']} ({report['timezone']})", title_justify="left"
    )
    for column in ("scope", "side", "currency", "outcome"):
        table.add_column(column)
    table.add_column("count", justify="right")
    table.add_column("amount", justify="right")
    for row in report["totals"]:
        table.add_row(
            row["scope"],
            row["side"],
            row["currency"],
            row["outcome"],
            f"{row['count']:,}",
            row["amount"],
            end_section=row["outcome"] == "total",
            style="bold" if row["outcome"] == "total" else None,
        )
    console.print(table)
    _counts(console, "Discrepancies", report["discrepancies"])
    _counts(console, "Matches by rule", report["matched"])
    console.print(f"{report['new']} new, {report['cleared']} cleared", highlight=False)
    for warning in report["warnings"]:
        console.print(f"warning: {warning}", highlight=False, markup=False)
    if folder is not None:
        console.print(
            f"Report: {folder / 'discrepancies.csv'}", highlight=False, markup=False, soft_wrap=True
        )


def _counts(console: Console, title: str, counts: Mapping[str, int]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    if not counts:
        table.add_row("none", "0")
    console.print(table)


def run_table(records: Sequence[RunRecord]) -> None:
    """One line a run."""
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
    _console().print(table)
