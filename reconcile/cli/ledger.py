"""Commands about what is kept and how far it is to be trusted: ledgers and their imports, quarantine, validation."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from reconcile.cli.tables import show_imports, showing_progress, table_console
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import check_allowed


def allow_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--allow, of the commands that take records in."""
    option = click.option(
        "--allow",
        multiple=True,
        metavar="EXPECTATION",
        help="Use a batch although this expectation blocks it; it is recorded. Repeatable.",
    )
    return option(command)


def limit_option(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--limit, of the commands that list."""
    return click.option(
        "--limit", type=click.IntRange(1, 1_000_000), default=default, show_default=True, help="How many."
    )


@click.group(invoke_without_command=True)
@click.pass_context
def ledger(context: click.Context) -> None:
    """Your own books: import them, list the imports, take a wrong one back.

    Example:  reconcile ledger import august.csv
    """
    if context.invoked_subcommand is None:
        context.invoke(ledger_list)


@ledger.command("import")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--profile", metavar="NAME", help="How to read it: [ledger.NAME] of reconcile.toml.")
@click.option(
    "--snapshot",
    is_flag=True,
    help="The file is the whole ledger of the days it spans: withdraw what it lacks.",
)
@allow_option
def ledger_import(
    paths: tuple[Path, ...], profile: str | None, snapshot: bool, allow: tuple[str, ...]
) -> None:
    """Import ledgers: files, archives, folders; without a PATH the profile's query. The next run matches them.

    Example:  reconcile ledger import august.csv
    """
    from reconcile import pipeline

    with showing_progress() as progress:
        show_imports(
            pipeline.import_files(
                Settings.read(),
                paths,
                profile,
                snapshot=snapshot,
                allow=check_allowed(allow),
                progress=progress,
            )
        )


@ledger.command("inspect")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--profile", metavar="NAME", help="How to read it: [ledger.NAME] of reconcile.toml.")
def ledger_inspect(path: Path | None, profile: str | None) -> None:
    """Show what a ledger is taken for, how it would be read, what is ambiguous, and a profile to paste.

    Example:  reconcile ledger inspect august.xlsx
    """
    from reconcile.load import inspect_ledger as inspection

    settings = Settings.read()
    for line in inspection.describe(settings, path, settings.profile(profile)):
        click.echo(line)


@ledger.command("list")
@limit_option(50)
def ledger_list(limit: int) -> None:
    """List the imports, the newest first.

    Example:  reconcile ledger list --limit 5
    """
    from reconcile.db.engine import open_store
    from reconcile.load import imports

    with open_store(Settings.read()) as engine:
        records = imports.listed(engine, limit)
    table = Table()
    for column in ("import", "source", "file", "imported (UTC)"):
        table.add_column(column, no_wrap=column != "file")
    for column in ("rows", "new", "changed", "quarantined", "withdrawn"):
        table.add_column(column, justify="right")
    table.add_column("")
    for one in records:
        notes = ["snapshot"] if one.snapshot else []
        notes += [f"allowed {name}" for name in one.allowed]
        if one.withdrawn_at is not None:
            notes.append(f"taken back on {one.withdrawn_at:%Y-%m-%d %H:%M}")
        table.add_row(
            str(one.import_id),
            Text(one.source),
            Text(one.file),
            f"{one.imported_at:%Y-%m-%d %H:%M}",
            *(
                f"{getattr(one, name):,}"
                for name in ("records", "added", "changed", "quarantined", "withdrawn")
            ),
            ", ".join(notes),
        )
    table_console().print(table)


@ledger.command("withdraw")
@click.argument("import_id", type=int, metavar="IMPORT")
def ledger_withdraw(import_id: int) -> None:
    """Undo a wrong import as if it had never been; what later imports did stays. The next run matches anew.

    Example:  reconcile ledger withdraw 12
    """
    from reconcile.db.engine import open_store
    from reconcile.load import imports

    with open_store(Settings.read()) as engine:
        done = imports.withdraw(engine, import_id)
    line = (
        f"import {done.import_id} of {done.file} is taken back: {done.withdrawn:,} entries withdrawn, "
        f"{done.returned:,} back as they were before it"
    )
    if done.released or done.restored:
        line += f", {done.released:,} out of quarantine, {done.restored:,} back in it"
    click.echo(line)


@click.command()
@click.option(
    "--data-docs",
    "docs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write Great Expectations' own pages there.",
)
def validate(docs: Path | None) -> None:
    """Run all expectations alone, over what the database holds; exit 3 if one blocks.

    Example:  reconcile validate --data-docs pages
    """
    from reconcile import validate_all as validation

    with showing_progress() as progress:
        judged = validation.validate(Settings.read(), docs, progress)
    for suite in judged.suites:
        click.echo(
            f"{suite['suite']}: {suite['successful']} of {suite['evaluated']} expectations hold"
            + (f", over {suite['records']:,} records" if suite["records"] else "")
        )
        for failure in suite["failures"]:
            click.echo(f"  {failure['expectation']} ({failure['weight']}): broken {failure['count']:,} times")
    for line in judged.warnings:
        click.echo(f"warning: {line}")
    if docs is not None:
        click.echo(f"Pages: {docs / 'index.html'}")
    for line in judged.problems:
        click.echo(f"reconcile: {line}", err=True)
    if judged.problems:
        sys.exit(3)


@click.command()
@limit_option(100)
def quarantine(limit: int) -> None:
    """List the records that cannot be used, and since when; they come out when their source corrects them.

    Example:  reconcile quarantine --limit 20
    """
    from reconcile.db.engine import open_store
    from reconcile.load import imports

    with open_store(Settings.read()) as engine:
        count, rows = imports.quarantined(engine, limit)
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
                Text(_short(str(value)))
                for value in (row.source, row.record_id or "", row.file, row.row_number, row.field, row.value)
            ),
            Text(row.reason),
        )
    table_console().print(table)
    more = f", {len(rows):,} of them shown: quarantine.csv of a run has all" if len(rows) < count else ""
    click.echo(f"{count:,} records in quarantine{more}")


def _short(text: str) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= 40 else text[:39] + "…"
