"""The command line: parse, call, print, exit code. Thin; every command is one call into the product.

Results go to standard output, progress and errors to standard error. An error is one line.
"""

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
from sqlalchemy.exc import DBAPIError

from reconcile.cli.ledger import allow_option, ledger, limit_option, quarantine, validate
from reconcile.cli.report import report
from reconcile.cli.signals import stopped_by_signals
from reconcile.cli.tables import (
    open_streams,
    run_table,
    show_decisions,
    show_run,
    show_stories,
    showing_progress,
    window_table,
)
from reconcile.core.errors import ReconcileError, Stopped, UsageError
from reconcile.core.records import Period
from reconcile.sandbox.behaviour import PROFILES
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import check_allowed

DEBUG = "--debug"


class Day(click.ParamType[date]):
    """A calendar day, `2026-08-31`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            self.fail(f"{value!r} is no day of the calendar; write it as 2026-08-31", param, ctx)


def _period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    to = click.option(
        "--to", "last", type=Day(), metavar="D", help="Last day, included. The ages count from it."
    )
    first = click.option(
        "--from", "first", type=Day(), metavar="D", help="First day of the period, 2026-08-01."
    )
    return first(to(command))


def _period(first: date | None, last: date | None) -> Period | None:
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise UsageError("--from and --to go together: give both, or neither")
    if first > last:
        raise UsageError(f"--from {first} lies after --to {last}")
    return Period(first, last)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kspay-reconcile")
@click.option(DEBUG, is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """Reconcile KS Pay transactions with your ledger.

    Example:  reconcile demo
    """


@cli.command()
@click.option("--seed", default=1, show_default=True, help="Another number makes another merchant.")
def demo(seed: int) -> None:
    """Try everything locally: a made-up merchant, 120 days, a report.

    Example:  reconcile demo
    """
    from reconcile import demo as demonstration

    with showing_progress() as progress:
        finished = demonstration.run(seed, progress)
    show_run(finished.report, finished.folder)
    click.echo(
        f"\nThe ledger that was reconciled: {finished.folder.parent / 'ledger.csv'}\n"
        "All of this is made up. With your own data: reconcile run --from D --to D --ledger FILE"
    )


@cli.command()
@_period_options
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The ledger: a CSV, XLSX or Parquet file, an archive, a folder.",
)
@click.option("--profile", metavar="NAME", help="How to read it: [ledger.NAME] of reconcile.toml.")
@click.option("--out", type=click.Path(path_type=Path), default="reports", show_default=True, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the run's run.json on standard output.")
@click.option("--strict", is_flag=True, help="Exit 10 if open discrepancies above info exist.")
@click.option("--wait", is_flag=True, help="Wait for another run on the same app to end.")
@allow_option
def run(
    first: date | None,
    last: date | None,
    ledger: Path | None,
    profile: str | None,
    out: Path,
    as_json: bool,
    strict: bool,
    wait: bool,
    allow: tuple[str, ...],
) -> None:
    """Reconcile a period: ledger, KS Pay, matching, report.

    Without dates it takes the last RECONCILE_LOOKBACK_DAYS days, or all since the last finished run.

    Example:  reconcile run --from 2026-08-01 --to 2026-08-31 --ledger august.csv
    """
    from reconcile import pipeline

    request = pipeline.Request(_period(first, last), ledger, profile, out, wait, check_allowed(allow))
    settings = Settings.read()
    with showing_progress() as progress:
        if os.environ.get("PREFECT_API_URL"):
            try:
                from flows.reconcile_period import as_flow_run
            except ModuleNotFoundError as error:
                if not (error.name or "").startswith("flows"):
                    raise
                raise UsageError(
                    "PREFECT_API_URL is set, and this installation has no Prefect flows: "
                    "run in a checkout of kspay-reconcile (make setup), or unset PREFECT_API_URL"
                ) from None
            finished = as_flow_run(settings, request, progress)
        else:
            finished = pipeline.reconcile_period(settings, request, progress=progress)
    if as_json:
        click.echo((finished.folder / "run.json").read_text("utf-8"), nl=False)
    else:
        show_run(finished.report, finished.folder)
    if strict and finished.open_above_info:
        sys.exit(10)


@cli.command()
@_period_options
def fetch(first: date | None, last: date | None) -> None:
    """Only fetch: KS Pay into the database, no matching, no report.

    With --from alone it fetches up to the last day that is over.

    Example:  reconcile fetch --from 2026-01-01
    """
    from reconcile import pipeline

    settings = Settings.read()
    if first is None and last is not None:
        raise UsageError("--to needs --from: from which day on?")
    if first is not None and last is None:
        last = max(first, pipeline.last_closed_day(datetime.now(UTC), settings.timezone))
    period = _period(first, last)
    with showing_progress() as progress:
        fetched = pipeline.fetch_period(settings, period, progress=progress)
    for one in fetched:
        click.echo(
            f"{one.app_id}: {one.records:,} records of the UTC days {', '.join(one.utc_days)} "
            f"({one.windows} windows, {one.pages} pages): {one.added:,} new, {one.changed:,} changed, "
            f"{one.quarantined:,} in quarantine"
        )
        if one.accepted_from:
            click.echo(f"{one.app_id}: KS Pay accepts no day before {one.accepted_from}, the app's creation")
        for warning in one.warnings():
            click.echo(f"warning: {warning}")


@cli.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--by", required=True, metavar="NAME", help="Who decided; it stays in the audit trail.")
@click.option("--dry-run", is_flag=True, help="Show what would be taken, and write nothing.")
def resolve(path: Path, by: str, dry_run: bool) -> None:
    """Take back a discrepancies.csv, resolved.csv or workbook in which people filled resolution and note.

    In resolution: accept, write_off, ignore, match:<ids of the other side, ; between> or reopen.

    Example:  reconcile resolve discrepancies.csv --by "Asha Rao" --dry-run
    """
    from reconcile.db.engine import open_store
    from reconcile.decide import resolve as decisions
    from reconcile.decide.sheet import open_sheet

    by = by.strip()
    if not by or not by.isprintable():
        raise UsageError("--by must be a name: it says in the audit trail who decided")
    settings = Settings.read()
    sheet = open_sheet(path)
    try:
        with open_store(settings) as engine:
            taken = decisions.take_in(engine, settings, sheet, by, dry_run=dry_run)
    except decisions.RowsRefused as error:
        for line in error.lines:
            click.echo(line, err=True)
        raise
    show_decisions(taken, dry_run=dry_run)


@cli.command()
@click.argument("named", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def explain(named: str, as_json: bool) -> None:
    """Tell the whole story of a transaction, a ledger entry (also source:id) or a discrepancy.

    Example:  reconcile explain tx_2f6c0a
    """
    from reconcile.db.engine import open_store
    from reconcile.match import explain as telling

    settings = Settings.read()
    with open_store(settings) as engine:
        stories = telling.explain(engine, settings, named)
    show_stories(stories, settings.currencies, as_json=as_json)


@cli.command()
@limit_option(20)
def runs(limit: int) -> None:
    """List the runs, the newest first.

    Example:  reconcile runs --limit 5
    """
    from reconcile.db import runs as run_records
    from reconcile.db.engine import open_store

    with open_store(Settings.read()) as engine:
        run_records.sweep_dead(engine)
        run_table(run_records.listed(engine, limit))


@cli.command()
@click.argument("run_id", metavar="RUN")
@click.option("--verify", is_flag=True, help="Also check the SHA-256 of every file of the run.")
def show(run_id: str, *, verify: bool) -> None:
    """Show a run: totals, discrepancies, completeness of the fetch. RUN may be `latest`.

    Example:  reconcile show latest
    """
    from reconcile.db import runs as run_records
    from reconcile.db.engine import open_store
    from reconcile.report import verify as kept

    with open_store(Settings.read()) as engine:
        run_records.sweep_dead(engine)
        record = run_records.one(engine, run_id)
        windows = run_records.windows(engine, record.run_id)
    click.echo(f"{record.run_id}: {record.command}, {record.state}")
    if record.error:
        click.echo(record.error)
    if record.command == "run" and record.report is not None:
        show_run(record.report, Path(record.folder) if record.folder else None)
    window_table(windows)
    if verify:
        click.echo(f"verified: {kept.verify(record)} files and run.json are as the run left them")


cli.add_command(report)


def _profiles() -> str:
    width = max(map(len, PROFILES)) + 2
    lines = (f"{name:<{width}}{says}" for name, (says, _) in PROFILES.items())
    return "\b\nProfiles:\n" + "\n".join(f"  {line}" for line in lines)


@cli.command(epilog=_profiles())
@click.option("--port", default=8080, show_default=True, help="0 takes a free one.")
@click.option("--seed", default=1, show_default=True, help="Another number makes another merchant.")
@click.option("--days", default=120, show_default=True, help="How many days of payments.")
@click.option("--first-day", type=Day(), metavar="D", help="Their first day; without it they end today.")
@click.option(
    "--ledger", type=click.Path(path_type=Path), metavar="PATH", help="Write the merchant's ledger."
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    metavar="NAME[,NAME]",
    help="How it behaves: see below. Repeatable.",
)
@click.option(
    "--rows", type=int, metavar="N", help="Serve N transactions made in bulk instead, for benchmarks."
)
def sandbox(
    port: int,
    seed: int,
    days: int,
    first_day: date | None,
    ledger: Path | None,
    profiles: tuple[str, ...],
    rows: int | None,
) -> None:
    """Serve a local KS Pay with a made-up merchant, until Ctrl-C.

    Example:  reconcile sandbox --port 8080 --ledger ledger.csv --profile oldest-first,resets
    """
    from reconcile.sandbox.command import run as serve

    serve(
        port=port,
        seed=seed,
        days=days,
        first_day=first_day,
        ledger=ledger,
        profiles=[name for names in profiles for name in names.split(",") if name],
        rows=rows,
    )


@cli.command()
def doctor() -> None:
    """Check settings, credentials, database, clock and totals; say what to do.

    Example:  reconcile doctor
    """
    from reconcile import doctor as examination

    worst = 0
    for finding in examination.examine():
        click.echo(f"{'ok  ' if finding.exit_code == 0 else 'FAIL'}  {finding.subject}: {finding.says}")
        worst = worst or finding.exit_code
    sys.exit(worst)


cli.add_command(validate)
cli.add_command(quarantine)
cli.add_command(ledger)


def main() -> NoReturn:
    """The `reconcile` command: one line and an exit code for whatever goes wrong."""
    open_streams()
    if sys.flags.optimize > 1:
        _fail("the program needs its docstrings: unset PYTHONOPTIMIZE", 2, debug=False)
    _no_calls_home(os.environ)
    # Python would look through all that was imported for garbage before it ends, for more than half a second.
    atexit.register(gc.freeze)
    arguments = sys.argv[1:]
    debug = DEBUG in arguments
    # --debug may stand anywhere; the group is where click looks for it.
    arguments = ([DEBUG] if debug else []) + [argument for argument in arguments if argument != DEBUG]
    try:
        _check_words(arguments)
        with stopped_by_signals():
            cli.main(arguments, prog_name="reconcile", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(f"{_place(error)}{' '.join(error.format_message().split())}", 2, debug=debug)
    except Stopped as error:
        _fail("stopped; nothing was reported. Start it again when you like", error.exit_code, debug=debug)
    except ReconcileError as error:
        _fail(str(error), error.exit_code, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last resort: said, and ended with an exit code
        from reconcile.db.runs import mishap

        if (said := mishap(error)) is not None:
            _fail(said, 1, debug=debug)
        # A driver's error repeats the statement and its values; its own first line is enough.
        text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        line = " ".join(text.split()) or "no further word"
        _fail(f"a fault of ours: {type(error).__name__}: {line} (--debug shows where)", 1, debug=debug)
    sys.exit(0)


def _check_words(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no text, which nothing here can be called; a file may have such a name."""
    for argument in arguments:
        if any("\udc80" <= letter <= "\udcff" for letter in argument):
            option, _, value = argument.partition("=")
            if not Path(value if option.startswith("--") and value else argument).exists():
                shown = os.fsencode(argument).decode("utf-8", "backslashreplace")
                raise UsageError(f"{shown}: holds bytes that are no UTF-8, and no file has this name")


def _place(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path.removeprefix('reconcile ')}: " if context and context.parent else ""


def _fail(line: str, code: int, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    # A file's name may hold a line break, and a driver's words several.
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in line).split())
    click.echo(f"reconcile: {line}", err=True)
    sys.exit(code)


def _no_calls_home(environ: Any) -> None:
    """Switch off the telemetry of every dependency, unless the user has switched it on."""
    for name, value in _QUIET.items():
        environ.setdefault(name, value)


_QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
