"""Commands that show single records and take decisions on them: resolve, explain, validate, quarantine."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconcile.cli.console import showing_progress, table_console, tell
from reconcile.cli.options import SomePath, json_option, limit_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.people import is_printable
from reconcile.core.wording import counted

if TYPE_CHECKING:  # each command waits only for what it works with itself
    from reconcile.validate_all import Validated


@click.command()
@click.argument("path", type=SomePath(path_type=Path), metavar="FILE")
@click.option("--by", required=True, metavar="NAME", help="Who decided. The audit trail keeps this name.")
@click.option("--dry-run", is_flag=True, help="Show what would be recorded, and write nothing.")
@json_option
def resolve(path: Path, by: str, dry_run: bool, as_json: bool) -> None:
    """Record the decisions that people wrote into a report.

    FILE is a discrepancies.csv, a resolved.csv or the workbook. Its column resolution says accept, write_off, ignore,
    reopen, match for the suggested counterpart, or match: and the ids of the other side with ; between them. The
    column note may say anything.

    With --json it prints counts, changes, warnings and, where the file is refused, the rows that are.

    Example:  reconcile resolve discrepancies.csv --by "Asha Rao" --dry-run
    """
    from reconcile.cli.tables import show_decisions
    from reconcile.db.engine import open_store
    from reconcile.decide.resolve import resolve_sheet
    from reconcile.decide.result import ResolveResult, RowsRefused
    from reconcile.decide.sheet import open_sheet
    from reconcile.settings import Settings

    by = by.strip()
    if not by or not is_printable(by):
        raise UsageError("--by must be a name: the audit trail keeps who decided")
    settings = Settings.read()
    sheet = open_sheet(path)
    try:
        with open_store(settings) as engine:
            taken = resolve_sheet(engine, settings, sheet, by, dry_run=dry_run)
    except RowsRefused as error:
        if as_json:
            taken = ResolveResult(sheet.name, by, 0, 0, 0, (), ())
            click.echo(json_text({**asdict(taken), "dry_run": dry_run, "refused": error.refusals}))
        for line in error.lines:
            tell(line, "error")
        raise
    for line in taken.warnings:
        tell(f"{taken.file}, {line}", "warning", before="warning: ")
    if as_json:
        click.echo(json_text({**asdict(taken), "dry_run": dry_run, "refused": []}))
        return
    show_decisions(taken, dry_run=dry_run)


@click.command()
@click.argument("named", metavar="ID")
@json_option
def explain(named: str, as_json: bool) -> None:
    """Show everything that is known about one record.

    ID is the id of a transaction, of a ledger entry or of a discrepancy, or a reference: then it tells of all
    records that have it. If several sources of the ledger have an entry with this id, write source:id.

    Example:  reconcile explain tx_2f6c0a
    """
    from reconcile.cli.tables import show_explanations
    from reconcile.db.engine import open_store
    from reconcile.match.explain import explain as explain_record
    from reconcile.settings import Settings

    settings = Settings.read()
    with open_store(settings) as engine:
        explanations = explain_record(engine, settings, named)
    show_explanations(explanations, settings.currencies, as_json=as_json)


@click.command()
@click.option(
    "--data-docs",
    "docs",
    type=SomePath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write the pages of Great Expectations to this folder.",
)
@click.option(
    "--suites",
    "suites",
    type=SomePath(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write every suite to this folder, as the JSON of Great Expectations.",
)
@json_option
def validate(docs: Path | None, suites: Path | None, as_json: bool) -> None:
    """Check all expectations on the data in the database.

    The exit code is 3 if one that blocks does not hold.

    Example:  reconcile validate --data-docs pages
    """
    from reconcile.settings import Settings
    from reconcile.validate_all import validate_all

    with showing_progress() as progress:
        found = validate_all(Settings.read(), docs, progress, suites)
    if as_json:
        click.echo(json_text(found))
    else:
        _show_validated(found, docs, suites)
    for line in found.problems:
        tell(line, "error", before="reconcile: ")
    if found.problems:
        sys.exit(3)


def _show_validated(found: "Validated", docs: Path | None, suites: Path | None) -> None:
    for suite in found.suites:
        click.echo(
            f"{suite['suite']}: {suite['successful']} of {suite['evaluated']} expectations hold"
            + (f", over {counted(suite['records'], 'record')}" if suite["records"] else "")
        )
        for failure in suite["failures"]:
            click.echo(
                f"  {failure['expectation']} ({failure['weight']}): broken {counted(failure['count'], 'time')}"
            )
    for line in found.warnings:
        click.echo(f"warning: {line}")
    if docs is not None:
        click.echo(f"Pages: {docs / 'index.html'}")
    if suites is not None:
        click.echo(f"Suites: {suites}")


@click.command()
@limit_option(100)
@json_option
def quarantine(limit: int, as_json: bool) -> None:
    """List the records that cannot be used, and why.

    A record leaves the quarantine when its source sends it corrected.

    Example:  reconcile quarantine --limit 20
    """
    from rich.table import Table

    from reconcile.db.engine import open_store
    from reconcile.load import imports
    from reconcile.settings import Settings

    with open_store(Settings.read()) as engine:
        count, rows = imports.quarantined(engine, limit)
    if as_json:
        click.echo(json_text({"count": count, "records": [row._mapping for row in rows]}))
        return
    if not count:
        click.echo("nothing is in quarantine")
        return
    table = Table()
    for column in ("since (UTC)", "side", "source", "id", "file", "row", "field", "value", "reason"):
        table.add_column(column, no_wrap=column in ("since (UTC)", "side"))
    for row in rows:
        table.add_row(
            f"{row.since:%Y-%m-%d %H:%M}",
            row.side,
            *(
                _short(str(value))
                for value in (row.source, row.record_id or "", row.file, row.row_number, row.field, row.value)
            ),
            row.reason,
        )
    table_console().print(table)
    more = f", {len(rows):,} of them shown: quarantine.csv of a run has all" if len(rows) < count else ""
    click.echo(f"{counted(count, 'record')} in quarantine{more}")


def _short(text: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 40 else text[:39] + "…"
