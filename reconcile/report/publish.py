"""The report stage: the files of a run are written aside, then put in place together with the end of the run."""

import shutil
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import Connection

from reconcile.context import RunContext
from reconcile.core.errors import ReconcileError
from reconcile.db import runs
from reconcile.report import csv_files
from reconcile.report.elsewhere import Elsewhere
from reconcile.report.html import page_template
from reconcile.report.matched_csv import plain_lines, writing_matched
from reconcile.report.render import render_all
from reconcile.report.run_json import StageResults, document
from reconcile.settings import Settings


def prepare(settings: Settings) -> None:
    """Compile what `publish` uses, once in a process: the page's template and the expression for matched.csv."""
    page_template()
    plain_lines(settings.dialect)


def publish(
    connection: Connection,
    run: RunContext,
    results: StageResults,
    *,
    aside: Path,
    out: Path,
    elsewhere: Elsewhere | None = None,
) -> dict[str, Any]:
    """Write all files into `aside`, move them to `out`, and commit the run as finished; gives run.json.

    `connection` is the one of the matching. `elsewhere` gets a copy before the commit: if that fails, the run failed.
    """
    started, settings = monotonic(), run.settings
    csv_files.write_small_tables(connection, settings, aside)
    report = document(connection, run, results)
    matched = aside / "matched.csv"
    with writing_matched(connection, settings.currencies, matched, settings.dialect) as wait_for_matched:
        render_all(report, aside, wait_for_matched)
    report["seconds"]["report"] = round(monotonic() - started, 3)
    report["files"] = {path.name: {"sha256": csv_files.digest(path)} for path in sorted(aside.iterdir())}
    csv_files.write_json(aside / "run.json", report)
    folder = out / run.run_id
    try:
        # In place before the commit: a run that the database calls finished has its files. A run
        # that dies between the two is swept by the next one, files and all.
        csv_files.move_in_place(aside, folder)
        if elsewhere is not None:
            run.progress("report", f"copying the files to {elsewhere.shown}", None)
            elsewhere.copy(folder)
        runs.finish(connection, run.run_id, report)
        connection.commit()
    except BaseException:
        if not runs.is_finished(run.engine, run.run_id):
            shutil.rmtree(folder, ignore_errors=True)
            if elsewhere is not None:
                elsewhere.remove(run.run_id)
        raise
    csv_files.point_latest(out, run.run_id)
    if elsewhere is not None:
        try:
            elsewhere.point_latest(run.run_id)
        except ReconcileError as error:  # the run is finished, and both reports stand
            run.progress("report", f"warning: {error}", None)
    return report
