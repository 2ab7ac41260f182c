"""`reconcile report`: a run's workbook and page drawn again, or the close statement of a month."""

from pathlib import Path

import click

from reconcile.core.errors import UsageError


@click.command()
@click.argument("run_id", metavar="RUN", required=False)
@click.option("--period", "month", metavar="MONTH", help="The close statement of a month, 2026-08, instead.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="reports",
    show_default=True,
    metavar="DIR",
    help="Where the statement is written.",
)
def report(run_id: str | None, month: str | None, out: Path) -> None:
    """Draw the workbook and the page of a run again, or write the close statement of a month.

    The workbook and the page are drawn from the files that the run left. RUN may be `latest`.

    \b
    Example:  reconcile report latest
              reconcile report --period 2026-08
    """
    from reconcile.cli.console import say_paths
    from reconcile.cli.tables import show_statement
    from reconcile.db.engine import open_store
    from reconcile.report import statement
    from reconcile.report.render import render_again
    from reconcile.settings import Settings

    if (run_id is None) == (month is None):
        raise UsageError(
            "name a run, as reconcile runs lists them, or give --period and a month: one of both"
        )
    if month is not None:
        statement.month_days(month)
    settings = Settings.read()
    with open_store(settings) as engine:
        if run_id is not None:
            say_paths(render_again(engine, run_id))
        elif month is not None:
            close = statement.read_statement(engine, month)
            paths = statement.write_statement(close, settings.currencies, out)
            show_statement(close, settings.currencies)
            say_paths(paths)
