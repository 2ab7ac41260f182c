"""Renders the page and the workbook of a run, when the run ends and again when somebody asks.

A renderer reads only the run's CSV files and the content of its run.json. So it can render a run of years ago again,
and the same files give the same bytes.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.db import runs
from reconcile.report import csv_files
from reconcile.report.html import write_page
from reconcile.report.verify import changed_files, read_run_json, stored_report
from reconcile.report.workbook import write_workbook


def render_all(
    run: Mapping[str, Any], folder: Path, wait_for_matched: Callable[[], None] = lambda: None
) -> list[str]:
    """Render everything into the folder of the run, from the content of its run.json and its CSV files.

    `wait_for_matched` is called before matched.csv is read. Returns the names of the files.
    """
    return [write_page(run, folder).name, write_workbook(run, folder, wait_for_matched).name]


def render_again(engine: Engine, run_id: str) -> list[Path]:
    """Render everything of a finished run again; returns the paths. run.json gets the new SHA-256 of each file.

    Raises UsageError if the run is unknown, not finished, or its folder is missing; InputRefused if a file that is
    read is not what the run wrote.
    """
    record = runs.one(engine, run_id)
    stored, folder = stored_report(record)
    with engine.begin() as connection:
        # Another process that renders the same run waits.
        connection.execute(
            text("select from runs where run_id = :run_id for no key update"), {"run_id": record.run_id}
        )
        content = _checked(stored, folder)
        aside = folder.with_name(f".{folder.name}.rendering")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            for name in _sources(content):
                (aside / name).symlink_to((folder / name).absolute())
            rendered = render_all(content, aside)
            content["files"] |= {name: {"sha256": csv_files.digest(aside / name)} for name in rendered}
            csv_files.write_json(aside / "run.json", content)
            for name in (*rendered, "run.json"):
                (aside / name).replace(folder / name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        connection.execute(
            text("update runs set report = cast(:report as jsonb) where run_id = :run_id"),
            {"report": json.dumps(content), "run_id": record.run_id},
        )
    return [folder / name for name in rendered]


def _sources(content: Mapping[str, Any]) -> list[str]:
    """The files of a run from which the others are rendered."""
    return [name for name in content["files"] if name.endswith((".csv", ".parquet"))]


def _checked(stored: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The content of the folder's run.json, if it and the files to render from are what the run wrote.

    Raises InputRefused otherwise.
    """
    content = read_run_json(folder)
    try:
        same = _without_rendered(content) == _without_rendered(stored)
    except (KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise InputRefused(f"{folder / 'run.json'} is not what the run wrote: put that file back")
    for name in changed_files(content, folder, _sources(content)):
        raise InputRefused(
            f"{folder / name} is not what the run wrote: put that file back, and fill in decisions in a copy of it"
        )
    return dict(content)


def _without_rendered(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "files": {name: content["files"][name] for name in _sources(content)}}
