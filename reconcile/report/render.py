"""What is drawn from the files of a run, for people: when the run ends, and again when somebody asks.

A renderer reads the run's CSV files and the content of its run.json, and nothing else, so that a run of years ago can
be drawn again; the same files give the same bytes.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from reconcile.core.errors import InputRefused
from reconcile.db import runs
from reconcile.report import csv_files as files
from reconcile.report.html import write_page
from reconcile.report.verify import differing, kept, read_run_json
from reconcile.report.workbook import write_workbook

Renderer = Callable[[Mapping[str, Any], Path], Path]
"""Takes the content of run.json and the folder with the run's files, writes its own there, gives its path."""

RENDERERS: Sequence[Renderer] = (write_page, write_workbook)


def draw(run: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw everything into the folder of the run; the names of the files."""
    return [render(run, folder).name for render in RENDERERS]


def draw_again(engine: Engine, run_id: str) -> list[Path]:
    """Draw everything of a finished run again; the paths. Where bytes differ, run.json names the new SHA-256.

    Raises UsageError if the run is unknown, not finished, or its folder is gone; InputRefused if a file that
    is read is not what the run wrote.
    """
    record = runs.one(engine, run_id)
    known, folder = kept(record)
    with engine.begin() as connection:
        # Who draws the same run meanwhile waits.
        connection.execute(
            text("select from runs where run_id = :run_id for no key update"), {"run_id": record.run_id}
        )
        content = _checked(known, folder)
        aside = folder.with_name(f".{folder.name}.drawing")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            for name in _sources(content):
                (aside / name).symlink_to((folder / name).absolute())
            drawn = draw(content, aside)
            content["files"] |= {name: {"sha256": files.digest(aside / name)} for name in drawn}
            files.write_json(aside / "run.json", content)
            for name in (*drawn, "run.json"):
                (aside / name).replace(folder / name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        connection.execute(
            text("update runs set report = cast(:report as jsonb) where run_id = :run_id"),
            {"report": json.dumps(content), "run_id": record.run_id},
        )
    return [folder / name for name in drawn]


def _sources(content: Mapping[str, Any]) -> list[str]:
    """The files of a run that are not drawn, and that others are drawn from."""
    return [name for name in content["files"] if name.endswith((".csv", ".parquet"))]


def _checked(known: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The run.json of a folder, if it and the files that are drawn from are what the database says of the run."""
    content = read_run_json(folder)
    try:
        same = _without_drawn(content) == _without_drawn(known)
    except (KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise InputRefused(f"{folder / 'run.json'} is not what the run wrote: put that file back")
    for name in differing(content, folder, _sources(content)):
        raise InputRefused(
            f"{folder / name} is not what the run wrote: put that file back, and fill in decisions in a copy of it"
        )
    return dict(content)


def _without_drawn(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "files": {name: content["files"][name] for name in _sources(content)}}
