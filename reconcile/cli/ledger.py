"""`reconcile ledger`: imports ledgers, looks at one, lists the imports, withdraws one."""

from pathlib import Path

import click

from reconcile.cli.console import showing_progress, table_console
from reconcile.cli.options import SomePath, allow_option, json_option, limit_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.wording import counted


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def ledger(context: click.Context, as_json: bool) -> None:
    """Import your ledger, inspect a file, list or undo imports.

    Without a command it lists the imports.

    Example:  reconcile ledger import august.csv
    """
    if context.invoked_subcommand is None:
        context.invoke(ledger_list, as_json=as_json)
    elif as_json:
        raise UsageError(
            f"--json belongs after the command: reconcile ledger {context.invoked_subcommand} --json"
        )


@ledger.command("import")
@click.argument("paths", nargs=-1, type=SomePath(path_type=Path), metavar="[PATH]...")
@click.option("--profile", metavar="NAME", help="How to read the ledger: [ledger.NAME] in reconcile.toml.")
@click.option(
    "--snapshot",
    is_flag=True,
    help="The ledger is complete for its days: withdraw earlier entries of these days that it lacks.",
)
@allow_option
@json_option
def ledger_import(
    paths: tuple[Path, ...], profile: str | None, snapshot: bool, allow: tuple[str, ...], as_json: bool
) -> None:
    """Import ledgers: files, archives or folders.

    Without a PATH it imports the query of the profile. The next run matches what was imported.

    Example:  reconcile ledger import august.csv
    """
    from reconcile import pipeline
    from reconcile.cli.tables import show_imports
    from reconcile.settings import Settings
    from reconcile.validate.dataset_rules import check_allowed

    settings = Settings.read()
    allowed = check_allowed(allow, settings)
    with showing_progress() as progress:
        imported = pipeline.import_files(
            settings,
            paths,
            profile,
            snapshot=snapshot,
            allow=allowed,
            progress=progress,
        )
    if as_json:
        click.echo(json_text({"imports": imported}))
    else:
        show_imports(imported)


@ledger.command("inspect")
@click.argument("path", required=False, type=SomePath(path_type=Path))
@click.option("--profile", metavar="NAME", help="How to read the ledger: [ledger.NAME] in reconcile.toml.")
@json_option
def ledger_inspect(path: Path | None, profile: str | None, as_json: bool) -> None:
    """Show how a ledger would be read. Nothing is imported.

    It also shows what is unclear in the file, and a profile to copy into reconcile.toml.

    Example:  reconcile ledger inspect august.xlsx
    """
    from reconcile.load.inspect_ledger import describe
    from reconcile.settings import Settings

    settings = Settings.read()
    lines = describe(settings, path, settings.profile(profile))
    if as_json:
        click.echo(json_text({"lines": [*lines]}))
        return
    for line in lines:
        click.echo(line)


@ledger.command("list")
@limit_option(50)
@json_option
def ledger_list(limit: int, as_json: bool) -> None:
    """List the imports, newest first.

    Example:  reconcile ledger list --limit 5
    """
    from rich.table import Table

    from reconcile.db.engine import open_store
    from reconcile.load import imports
    from reconcile.settings import Settings

    with open_store(Settings.read()) as engine:
        records = imports.listed(engine, limit)
    if as_json:
        click.echo(json_text({"imports": records}))
        return
    table = Table()
    for column in ("import", "source", "file", "imported (UTC)"):
        table.add_column(column, no_wrap=column != "file")
    for column in ("rows", "new", "changed", "quarantined", "passed over", "withdrawn"):
        table.add_column(column, justify="right")
    table.add_column("notes")
    for record in records:
        notes = ["snapshot"] if record.snapshot else []
        notes += [f"allowed {name}" for name in record.allowed]
        if record.withdrawn_at is not None:
            notes.append(f"taken back on {record.withdrawn_at:%Y-%m-%d %H:%M}")
        table.add_row(
            str(record.import_id),
            record.source,
            record.file,
            f"{record.imported_at:%Y-%m-%d %H:%M}",
            *(
                f"{getattr(record, name):,}"
                for name in ("records", "added", "changed", "quarantined", "passed_over", "withdrawn")
            ),
            ", ".join(notes),
        )
    table_console().print(table)


@ledger.command("withdraw")
@click.argument("import_id", type=int, metavar="IMPORT")
@json_option
def ledger_withdraw(import_id: int, as_json: bool) -> None:
    """Undo a wrong import, as if it had never happened. What later imports changed stays.

    The next run matches these records again. IMPORT is a number, as reconcile ledger list lists it.

    Example:  reconcile ledger withdraw 12
    """
    from reconcile.db.engine import open_store
    from reconcile.load import imports
    from reconcile.settings import Settings

    with open_store(Settings.read()) as engine:
        done = imports.withdraw(engine, import_id)
    if as_json:
        click.echo(json_text(done))
        return
    line = (
        f"import {done.import_id} of {done.file} is taken back: "
        f"{counted(done.withdrawn, 'entry', 'entries')} withdrawn, {done.returned:,} back as they were before it"
    )
    if done.released or done.restored:
        line += f", {done.released:,} out of quarantine, {done.restored:,} back in it"
    click.echo(line)
