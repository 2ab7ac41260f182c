"""Commands that work on a period, and those that list what ran: run, fetch, runs, show, metrics, demo, doctor."""

import os
import sys
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.console import showing_progress, tell, telling_once
from reconcile.cli.options import (
    FolderOrAddress,
    SomePath,
    allow_option,
    chosen_period,
    json_option,
    limit_option,
    period_options,
)
from reconcile.core.errors import UsageError
from reconcile.core.json_text import json_text
from reconcile.core.wording import counted

if TYPE_CHECKING:  # each command waits only for what it works with itself
    from reconcile.db.runs import RunRecord
    from reconcile.pipeline import Finished, Request
    from reconcile.settings import Settings


@click.command()
@click.option("--seed", default=1, show_default=True, help="Another number makes another merchant.")
@json_option
def demo(seed: int, as_json: bool) -> None:
    """Try everything on this machine, with made-up data.

    It serves a KS Pay of a made-up merchant, reconciles 120 days with the merchant's ledger, and writes the report.

    Example:  reconcile demo
    """
    from reconcile.cli.tables import show_run
    from reconcile.demo import run_demo

    with showing_progress() as progress:
        finished = run_demo(seed, progress)
    if as_json:
        click.echo((finished.folder / "run.json").read_text("utf-8"), nl=False)
        return
    show_run(finished.report, finished.folder)
    click.echo(
        f"\nThe ledger that was reconciled: {finished.folder.parent / 'ledger.csv'}\n"
        "All of this is made up. With your own data: reconcile run --from D --to D --ledger FILE"
    )


@click.command()
@period_options
@click.option(
    "--ledger",
    type=SomePath(path_type=Path),
    metavar="PATH",
    help="Your ledger: a CSV, XLSX or Parquet file, an archive, or a folder of them.",
)
@click.option("--profile", metavar="NAME", help="How to read the ledger: [ledger.NAME] in reconcile.toml.")
@click.option(
    "--out",
    type=FolderOrAddress(),
    default="reports",
    show_default=True,
    metavar="DIR",
    help="The folder for the reports. An address such as s3://books/reports gets a copy of those in ./reports.",
)
@json_option
@click.option("--strict", is_flag=True, help="End with exit code 10 if a discrepancy above info is open.")
@click.option("--wait", is_flag=True, help="If another run works on the same app, wait until it ends.")
@click.option(
    "--snapshot",
    is_flag=True,
    help="The ledger is complete for its days: withdraw earlier entries of these days that it lacks.",
)
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="APP",
    help="Only this app of [[apps]]. Repeatable; without it, all.",
)
@allow_option
def run(
    first: date | None,
    last: date | None,
    ledger: Path | None,
    profile: str | None,
    out: str,
    as_json: bool,
    strict: bool,
    wait: bool,
    snapshot: bool,
    apps: tuple[str, ...],
    allow: tuple[str, ...],
) -> None:
    """Reconcile a period and write the report.

    It reads the ledger, fetches the transactions from KS Pay and matches both. Without dates the period is the last
    RECONCILE_LOOKBACK_DAYS days, or all days since the last finished run if those are more. Ages are counted to the
    last day of the period.

    Example:  reconcile run --from 2026-08-01 --to 2026-08-31 --ledger august.csv
    """
    from reconcile import pipeline
    from reconcile.cli.tables import show_run
    from reconcile.report.csv_files import says_of_latest
    from reconcile.settings import Settings
    from reconcile.validate.dataset_rules import check_allowed

    settings = Settings.read()
    folder, copy_to = (Path("reports"), out) if "://" in out else (Path(out), "")
    allowed = check_allowed(allow, settings)
    request = pipeline.Request(
        chosen_period(first, last), ledger, profile, folder, wait, allowed, snapshot, apps, copy_to
    )
    try:
        finished = _reconciled(settings, request, strict=strict)
    except pipeline.PartlyDone as error:
        if not as_json:
            show_run(error.finished.report, error.finished.folder)
        raise
    if line := says_of_latest(finished.folder):
        tell(line, before="report: ", stage="report")
    if as_json:
        click.echo((finished.folder / "run.json").read_text("utf-8"), nl=False)
    else:
        show_run(finished.report, finished.folder)
    if strict and finished.open_above_info:
        sys.exit(10)


def _reconciled(settings: "Settings", request: "Request", *, strict: bool = False) -> "Finished":
    """Run as a flow run if a Prefect server is named, else by itself."""
    from reconcile import pipeline
    from reconcile.notify import telling

    with showing_progress() as progress:
        if os.environ.get("PREFECT_API_URL"):
            # automations.yaml takes a run for dead that gives no sign for 100 seconds; Prefect's own 180 seconds
            # between two signs would let it end live runs. Prefect reads its settings when it is imported.
            os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
            try:
                from flows.reconcile_period import as_flow_run
            except ModuleNotFoundError as error:
                if not (error.name or "").startswith("flows"):
                    raise
                raise UsageError(
                    "PREFECT_API_URL is set, and this installation has no Prefect flows: "
                    "run in a checkout of kspay-reconcile (make setup), or unset PREFECT_API_URL"
                ) from None
            return telling(
                settings,
                progress,
                lambda: as_flow_run(settings, request, progress, strict=strict),
                strict=strict,
            )
        return telling(
            settings,
            progress,
            lambda: pipeline.reconcile_period(settings, request, progress=progress),
            strict=strict,
        )


@click.command()
@period_options
@json_option
def fetch(first: date | None, last: date | None, as_json: bool) -> None:
    """Fetch transactions from KS Pay into the database.

    Nothing is matched or reported. With --from alone, it fetches up to the last day that is over.

    Example:  reconcile fetch --from 2026-01-01
    """
    from reconcile.core.periods import last_closed_day
    from reconcile.pipeline import fetch_period
    from reconcile.settings import Settings

    settings = Settings.read()
    if first is None and last is not None:
        raise UsageError("--to needs --from: say from which day on")
    if first is not None and last is None:
        last = max(first, last_closed_day(datetime.now(UTC), settings.timezone))
    period = chosen_period(first, last)
    with showing_progress() as progress:
        fetched = fetch_period(settings, period, progress=progress)
    if as_json:
        click.echo(json_text({"fetched": [{**asdict(app), "warnings": app.warnings()} for app in fetched]}))
        return
    for app in fetched:
        click.echo(
            f"{app.app_id}: {counted(app.records, 'record')} of the UTC days {', '.join(app.utc_days)} "
            f"({counted(app.windows, 'window')}, {counted(app.pages, 'page')}): {app.added:,} new, "
            f"{app.changed:,} changed, {app.quarantined:,} in quarantine"
        )
        if app.accepted_from:
            click.echo(f"{app.app_id}: KS Pay accepts no day before {app.accepted_from}, the app's creation")
        for warning in app.warnings():
            tell(warning, "warning", before="warning: ")


@click.command()
@limit_option(20)
@json_option
def runs(limit: int, as_json: bool) -> None:
    """List the runs, newest first.

    Example:  reconcile runs --limit 5
    """
    from reconcile.cli.tables import run_table
    from reconcile.db import failures
    from reconcile.db import runs as run_records
    from reconcile.db.engine import open_store
    from reconcile.settings import Settings

    settings = Settings.read()
    with open_store(settings) as engine:
        run_records.sweep_dead(engine)
        records = run_records.listed(engine, limit)
    for line in failures.untaken(settings.home):
        tell(line, "warning", before="warning: ")
    if as_json:
        click.echo(json_text({"runs": [_without_report(record) for record in records]}))
    else:
        run_table(records)


def _without_report(record: "RunRecord") -> dict[str, Any]:
    """A row of the run table; of its report only the counts of discrepancies: `show` has the whole of it."""
    found = record.report["discrepancies"] if record.report and record.command == "run" else None
    return {
        **{name: value for name, value in asdict(record).items() if name != "report"},
        "discrepancies": found,
    }


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--verify", is_flag=True, help="Also check that nobody changed a file of the run (SHA-256).")
@json_option
def show(run_id: str, *, verify: bool, as_json: bool) -> None:
    """Show a run: totals, discrepancies, and what was fetched.

    For each fetched window it shows the proof that no transaction is missing.
    RUN is a run id, as reconcile runs lists it, or latest.

    Example:  reconcile show latest
    """
    from reconcile.cli.tables import show_run, window_table
    from reconcile.db import runs as run_records
    from reconcile.db.engine import open_store
    from reconcile.report import close_trail
    from reconcile.report.verify import verify as verify_files
    from reconcile.settings import Settings

    with open_store(Settings.read()) as engine:
        run_records.sweep_dead(engine)
        record = run_records.one(engine, run_id)
        windows = run_records.windows(engine, record.run_id)
        with engine.connect() as connection:
            closed = close_trail.verify(connection) if verify else None
    if as_json:
        verified = verify_files(record) if verify else None
        click.echo(
            json_text({**asdict(record), "windows": windows, "verified": verified, "closed_versions": closed})
        )
        return
    click.echo(f"{record.run_id}: {record.command}, {record.state}")
    if record.error:
        click.echo(record.error)
    if record.command == "run" and record.report is not None:
        show_run(record.report, Path(record.folder) if record.folder else None)
    window_table(windows)
    if verify:
        click.echo(f"verified: {counted(verify_files(record), 'file')} and run.json are as the run left them")
        if closed:
            are_as = "is as it was" if closed == 1 else "are as they were"
            click.echo(f"verified: {counted(closed, 'closed version')} of months {are_as} closed")


@click.command()
@click.option(
    "--textfile",
    type=SomePath(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Write this file instead, in one step, for the textfile collector of the node exporter.",
)
def metrics(textfile: Path | None) -> None:
    """Print what a monitoring system needs to know of the runs, as Prometheus text.

    It tells when the newest run finished, how long its stages took, and what is open.

    \b
    Example:  reconcile metrics
              reconcile metrics --textfile /var/lib/node_exporter/reconcile.prom
    """
    from reconcile.core.writing import whole_file
    from reconcile.db import runs as run_records
    from reconcile.db.engine import open_store
    from reconcile.report.metrics import metrics as as_text
    from reconcile.settings import Settings

    settings = Settings.read()
    with open_store(settings) as engine:
        run_records.sweep_dead(engine)
        # An app that was taken out of the settings must not alert for good. Where none is set, as in a crontab without
        # the keys, all are shown: a file without any would never alert.
        apps = settings.app_ids
        text = as_text(
            record for record in run_records.by_app(engine) if not apps or record["app_id"] in apps
        )
    if textfile is None:
        click.echo(text, nl=False)
        return
    with whole_file(textfile, f"--textfile {textfile}") as aside:
        aside.write_text(text, "utf-8")


@click.command()
@click.option("--quick", is_flag=True, help="Leave out what takes long: the decisions and the totals.")
@json_option
def doctor(quick: bool, as_json: bool) -> None:
    """Check settings, credentials, database, clock and totals.

    Each line says what was checked and, if it is wrong, what to do. A line that begins with warn stops no run and
    changes no exit code. With --quick it is a health check: nothing is matched again.

    Example:  reconcile doctor
    """
    from reconcile.doctor import examine

    worst = 0
    findings = []
    for finding in examine(quick=quick, progress=telling_once()):
        if as_json:
            findings.append(finding)
        else:
            mark = "FAIL" if finding.exit_code else "warn" if finding.warns else "ok  "
            click.echo(f"{mark}  {finding.subject}: {finding.says}")
        worst = worst or finding.exit_code
    if as_json:
        click.echo(json_text({"checks": findings, "exit_code": worst}))
    sys.exit(worst)
