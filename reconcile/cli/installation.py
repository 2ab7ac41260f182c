"""Commands of whoever keeps the installation: init, config show, notify, backup, prune, partition."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import click

from reconcile.cli.options import Day, SomePath, json_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.wording import counted
from reconcile.ledger.profile import TOML


@click.command()
def init() -> None:
    """Write a commented reconcile.toml into this folder.

    Every setting is in it with its default and meaning. All lines are comments: remove the # of those that you change.
    A file that exists is left as it is.

    Example:  reconcile init
    """
    from reconcile.cli.new_config import new_config
    from reconcile.core.writing import whole_file

    path = Path(TOML)
    if os.path.lexists(path):
        raise UsageError(f"{TOML}: there is one in this folder; it was left as it is")
    with whole_file(path, new=True) as aside:
        aside.write_text(new_config(), "utf-8")
    click.echo(f"{path.absolute()}: remove the # of what you change, then run: reconcile config show")


@click.group()
def config() -> None:
    """Look at the settings.

    Example:  reconcile config show
    """


@config.command()
@json_option
def show(*, as_json: bool) -> None:
    """Show every setting, its value and where it comes from.

    Secrets are masked. A setting that is wrong is named instead, as every other command would do.

    Example:  reconcile config show
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from reconcile.cli.console import print_table, say, table_console
    from reconcile.settings import Settings

    settings, shown = Settings.read(), Settings.shown()
    # What other commands refuse only when they need it.
    if settings.expects:
        from reconcile.validate.validator import Validator

        Validator.of(settings)
    if settings.notify:
        from reconcile.notify import Channels

        Channels(settings)
    tables = _tables(settings)
    if as_json:
        click.echo(json_text({"settings": [setting._asdict() for setting in shown], **tables}))
        return
    console = table_console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for setting in shown:
        table.add_row(setting.name, setting.value or "-", setting.source)
    print_table(console, table)
    if any(setting.name == "KSPAY_APP_ID" and setting.value for setting in shown):
        del tables["apps"]  # the only app, which stands above with where it comes from
    for name, rows in tables.items():
        if rows:
            say(console, f"{TOML}, {name}: {', '.join(rows)}")


def _tables(settings: Any) -> dict[str, list[str]]:
    """What the tables of reconcile.toml name; nothing of it is secret."""
    return {
        "apps": list(settings.app_ids),
        "ledger profiles": sorted(settings.profiles),
        "expectations": [expect.name for expect in settings.expects],
    }


@click.command()
@click.option("--test", is_flag=True, help="Send a test message to every address of RECONCILE_NOTIFY.")
@click.option(
    "--late",
    is_flag=True,
    help="Send a message if no night has finished for 26 hours, once for each: for a timer, every hour.",
)
@json_option
def notify(*, test: bool, late: bool, as_json: bool) -> None:
    """Try the channels on which people are told of runs, or tell them that a night is missing.

    A run tells them by itself: RECONCILE_NOTIFY_WHEN says when. One that does not start cannot, so a timer calls
    --late, whatever RECONCILE_NOTIFY_WHEN says. No address is shown, since it may hold a password.

    \b
    Example:  reconcile notify --test
              reconcile notify --late
    """
    from reconcile import notify as messages
    from reconcile.late import LateApp, tell_if_late
    from reconcile.settings import Settings

    settings = Settings.read()
    if test == late:
        raise UsageError("notify: give --test or --late; runs send their messages by themselves")
    if not settings.notify:
        raise UsageError("RECONCILE_NOTIFY is not set: it holds the addresses to tell of runs")
    found: list[LateApp] = []
    if late:
        told = tell_if_late(settings)
        found, sent = told.late, told.sent
    else:
        sent = messages.Channels(settings).send(messages.test_message())
    if as_json:
        channels = [{"channel": message.channel, "problem": message.problem} for message in sent]
        apps = [
            {
                "app_id": app.app_id,
                "run_id": app.run_id,
                "finished_at": app.finished_at,
                "nights_missing": app.nights,
            }
            for app in found
        ]
        click.echo(json_text({"channels": channels, **({"late": apps} if late else {})}))
    else:
        for app in found:
            click.echo(f"{app}{'' if sent else ' People were told.'}")
        if late and not found:
            click.echo("no app is late")
        for message in sent:
            click.echo(f"{message.channel}: {message.problem or 'sent'}")
    if failed := [message.channel for message in sent if message.problem]:
        raise UsageError(f"RECONCILE_NOTIFY: {', '.join(failed)} got nothing: see above")


@click.command()
@click.argument("path", metavar="FILE", type=SomePath(path_type=Path, dir_okay=False))
@click.option("--restore", is_flag=True, help="Fill an empty database from FILE instead.")
def backup(path: Path, *, restore: bool) -> None:
    """Copy the database into one file, or fill an empty database from such a file.

    The copy is of one moment; runs may go on. The reports folder is not in it: copy that as it is.

    \b
    Example:  reconcile backup /backups/reconcile-2026-08-31.dump
              reconcile backup /backups/reconcile-2026-08-31.dump --restore
    """
    from reconcile.db import backup as backups
    from reconcile.settings import Settings

    settings = Settings.read()
    if restore:
        backups.restore(settings, path)
        click.echo("restored: reconcile doctor checks what is there now")
    else:
        size = backups.backup(settings, path)
        click.echo(f"{path.absolute()}: {size:,} bytes")


@click.command()
@click.option(
    "--before", type=Day(), required=True, metavar="D", help="Remove what was replaced before this day."
)
@click.option("--dry-run", is_flag=True, help="Count what would go, and remove nothing.")
@json_option
def prune(*, before: date, dry_run: bool, as_json: bool) -> None:
    """Remove old states of records that nothing needs any more.

    Only what records said before they changed may go, what left the quarantine, and matches that were undone. Runs,
    decisions, discrepancies and all present records stay, and no later report changes. `explain` tells less of the
    time before D, and imports from before D can no longer be withdrawn.

    Example:  reconcile prune --before 2025-01-01 --dry-run
    """
    from reconcile.db.engine import open_store
    from reconcile.load.prune import prune as remove
    from reconcile.settings import Settings

    settings = Settings.read()
    with open_store(settings) as engine:
        gone = remove(engine, settings.timezone, before, dry_run=dry_run)
    if as_json:
        click.echo(json_text({"before": before, "dry_run": dry_run, "removed": gone}))
        return
    for name, rows in gone.items():
        click.echo(f"{_PRUNED[name]}: {rows:,} {'would go' if dry_run else 'removed'}")
    if not dry_run:
        click.echo(f"imports from before {before} can no longer be withdrawn")


@click.command()
@click.option("--months", is_flag=True, help="Divide records by month too, within each app.")
@json_option
def partition(*, months: bool, as_json: bool) -> None:
    """Divide the large tables by app, and former states by month too.

    For a database of several large apps, or with --months of a long history; docs/growing says when it pays. Once, and
    again after an app was added or a year has passed: then only what is lacking is added. What is divided by month
    stays so. No report changes. Nothing else can be done meanwhile, and the disk must hold the largest table twice.

    \b
    Example:  reconcile partition
              reconcile partition --months
    """
    from reconcile.db.engine import open_store
    from reconcile.db.partition import partition as divide
    from reconcile.settings import Settings

    settings = Settings.read()
    with open_store(settings) as engine:
        moved = divide(engine, settings.app_ids, months=months)
    if as_json:
        click.echo(json_text({"moved": moved}))
        return
    for table, rows in moved.items():
        click.echo(f"{table}: divided, {counted(rows, 'row')} moved")


_PRUNED = {
    "transaction_versions": "former states of transactions",
    "entry_versions": "former states of entries",
    "quarantine_versions": "records that left the quarantine",
    "pairing_versions": "matches that were undone",
}
