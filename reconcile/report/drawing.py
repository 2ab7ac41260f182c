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

from reconcile import runs
from reconcile.errors import InputRefused, UsageError
from reconcile.report import files
from reconcile.report.page import write_page
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
    if record.command != "run" or record.report is None or record.folder is None:
        raise UsageError(
            f"{record.run_id} is a {record.command} that is {record.state}: there is nothing to draw"
        )
    folder = Path(record.folder)
    if not folder.is_dir():
        raise UsageError(f"the files of run {record.run_id} are no longer at {folder}: move them back there")
    content = _checked(record.report, folder)
    aside = folder.with_name(f".{folder.name}.drawing")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        for name in _kept(content):
            (aside / name).symlink_to((folder / name).absolute())
        drawn = draw(content, aside)
        content["files"] |= {name: {"sha256": files.digest(aside / name)} for name in drawn}
        files.write_json(aside / "run.json", content)
        for name in (*drawn, "run.json"):
            (aside / name).replace(folder / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    with engine.begin() as connection:
        connection.execute(
            text("update runs set report = cast(:report as jsonb) where run_id = :run_id"),
            {"report": json.dumps(content), "run_id": record.run_id},
        )
    return [folder / name for name in drawn]


def _kept(content: Mapping[str, Any]) -> list[str]:
    """The files of a run that are not drawn, and that others are drawn from."""
    return [name for name in content["files"] if name.endswith((".csv", ".parquet"))]


def _checked(known: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The run.json of a folder, if it and the files that are drawn from are what the database says of the run."""
    try:
        content: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
        same = _without_drawn(content) == _without_drawn(known)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise InputRefused(f"{folder / 'run.json'} is not what the run wrote: put that file back")
    for name in _kept(content):
        path = folder / name
        if not path.is_file() or files.digest(path) != content["files"][name]["sha256"]:
            raise InputRefused(
                f"{path} is not what the run wrote: put that file back, and fill in decisions in a copy of it"
            )
    return content


def _without_drawn(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "files": {name: content["files"][name] for name in _kept(content)}}
