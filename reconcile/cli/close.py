"""Commands of a month's end: close, adjustments."""

from pathlib import Path

import click

from reconcile.cli.options import json_option, out_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.people import is_printable


@click.command()
@click.argument("month", metavar="MONTH", required=False)
@click.option("--by", metavar="NAME", help="Who closes the month. The audit trail keeps this name.")
@click.option("--list", "listed", is_flag=True, help="List the closed months and their versions instead.")
@out_option("The folder of the reports; the files go to closed/MONTH-vN in it.")
@json_option
def close(month: str | None, by: str | None, listed: bool, out: Path, as_json: bool) -> None:
    """Close a month: freeze its statement as the next version.

    No later run changes a closed version. Its files are kept in the database too. Close the month again to take in what
    has moved since: the new version says what, and why. It is refused, with the reasons, while the month is not covered
    to its end, a check fails, or too much is open without a decision (RECONCILE_CLOSE_UNDECIDED).

    \b
    Example:  reconcile close 2026-08 --by "Asha Rao"
              reconcile close --list
    """
    from reconcile.cli.console import say, say_paths, table_console, tell
    from reconcile.cli.tables import show_closes, show_reasons, show_since, show_statement
    from reconcile.db.engine import open_store
    from reconcile.report import close_month, close_trail
    from reconcile.report.statement import month_days
    from reconcile.settings import Settings

    if listed == (month is not None) or (listed and by is not None):
        raise UsageError("close: give a month such as 2026-08 and --by with your name, or --list alone")
    if month is not None:
        month_days(month, "close")
        by = (by or "").strip()
        if not by or not is_printable(by):
            raise UsageError("--by must be a name: the audit trail keeps who closed the month")
    settings = Settings.read()
    with open_store(settings) as engine:
        if month is None or by is None:
            with engine.connect() as connection:
                closes = close_trail.closes(connection, month)
            if as_json:
                click.echo(json_text({"closed": closes}))
            else:
                show_closes(closes)
            return
        shown = {setting.name: setting.value for setting in Settings.shown()}
        try:
            done = close_month.close_month(engine, settings, month, by, shown, out)
        except close_month.NotClosed as error:
            if as_json:
                click.echo(json_text({"month": month, "closed": None, "reasons": error.reasons}))
            else:
                show_reasons(error.reasons)
            raise
        with engine.connect() as connection:
            statement = close_month.closed_statement(connection, done.close)
            before = close_trail.closes(connection, month)[-2:-1]
    paths = [done.folder / name for name in (*sorted(done.close.content["files"]), close_month.JSON)]
    for line in done.warnings:
        tell(line, "warning", before="warning: ")
    if as_json:
        content = {**done.close.content, "closed_at": done.close.at, "made": done.made}
        click.echo(
            json_text({"month": month, "closed": content, "reasons": [], "since": done.since, "files": paths})
        )
        return
    show_statement(statement, settings.currencies, done.close)
    if not done.made:
        say(table_console(), f"no run of {month} came since: version {done.close.version} stands")
    if done.since is not None:
        show_since(done.since, settings.currencies, before[0], closing=True)
    say_paths(paths)


@click.command()
@click.argument("month", metavar="MONTH")
@click.option(
    "--profile", metavar="NAME", help="The ledger that it books into: [ledger.NAME] in reconcile.toml."
)
@click.option("--again", is_flag=True, help="Also write what was exported before, as it was.")
@out_option("The folder for the files.")
@json_option
def adjustments(month: str, profile: str | None, again: bool, out: Path, as_json: bool) -> None:
    """Write what was decided in a month as journal lines to book.

    It writes a CSV file, a Tally XML file and a CSV file for Zoho Books. [journal] in reconcile.toml names the
    accounts. Each decision is exported once. Our CSV file can be read back as a ledger, with the same --profile: it
    clears what it books.

    \b
    Example:  reconcile adjustments 2026-08
              reconcile adjustments 2026-08 --profile tally --again
    """
    from reconcile.cli.console import tell
    from reconcile.cli.tables import show_journal
    from reconcile.db.engine import open_store
    from reconcile.report.journal import export_journal
    from reconcile.settings import Settings

    settings = Settings.read()
    source = settings.profile(profile).name
    with open_store(settings) as engine:
        done = export_journal(engine, settings, month, source, out, again=again)
    if not done.closed:
        tell(f"{month} is not closed yet, so more may follow", "warning", before="warning: ")
    if as_json:
        click.echo(json_text(done))
    else:
        show_journal(done)
