"""`reconcile report`: makes the workbook and the page of a run again, or writes the close statement of a month."""

from collections.abc import Sequence
from pathlib import Path

import click

from reconcile.cli.options import json_option, out_option
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@click.option(
    "--period", "month", metavar="MONTH", help="Write the close statement of this month, such as 2026-08."
)
@out_option("The folder for the statement.")
@json_option
def report(run_id: str | None, month: str | None, out: Path, as_json: bool) -> None:
    """Make a run's workbook and page again, or a close statement.

    The workbook and the page are made from the other files of the run. RUN is a run id, as reconcile runs lists it,
    or latest. With --period it writes the close statement of a month: of a closed month the version that was closed
    and, apart, what has moved since.

    \b
    Example:  reconcile report latest
              reconcile report --period 2026-08
    """
    from reconcile.cli.console import say_paths, tell
    from reconcile.cli.tables import show_since, show_statement
    from reconcile.db.engine import open_store
    from reconcile.report import close_month, close_trail, statement
    from reconcile.report.render import render_again
    from reconcile.report.statement_files import write_statement
    from reconcile.settings import Settings

    if (run_id is None) == (month is None):
        raise UsageError("give either a run, as reconcile runs lists them, or --period and a month")
    if month is not None:
        statement.month_days(month)
    settings = Settings.read()
    with open_store(settings) as engine:
        if run_id is not None:
            paths: Sequence[Path] = render_again(engine, run_id)
            if as_json:
                click.echo(json_text({"files": paths}))
            else:
                say_paths(paths)
        elif month is not None:
            with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
                closed = close_trail.newest(connection, month)
                if closed is None:
                    shown = statement.statement_of(connection, month, settings.timezone)
                    since = None
                    paths = write_statement(shown, settings.currencies, settings.dialect, out)
                    for app_id, says in statement.out_of_order(shown.opening, shown.closing).items():
                        tell(f"{app_id}: {says}: run the month again", "warning", before="warning: ")
                else:
                    shown = close_month.closed_statement(connection, closed)
                    since = close_month.moved_since(connection, closed)
                    folder = close_month.write_closed(connection, closed, out)
                    paths = [folder / name for name in (*sorted(closed.content["files"]), close_month.JSON)]
                    paths += close_month.write_since(since, closed, settings, out)
            if as_json:
                click.echo(json_text({"statement": shown, "closed": closed, "since": since, "files": paths}))
            else:
                show_statement(shown, settings.currencies, closed)
                if since is not None and closed is not None:
                    show_since(since, settings.currencies, closed)
                say_paths(paths)
