"""The files of a finished run: where they are, and whether they are still what the run wrote."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconcile.core.errors import InputRefused, UsageError
from reconcile.db.runs import RunRecord
from reconcile.report.csv_files import digest

DATA_DOCS = "data-docs"
"""Great Expectations' own pages, which a run by Prefect writes beside its files when it is done: no file of the run."""


def stored_report(record: RunRecord) -> tuple[Mapping[str, Any], Path]:
    """The run.json that the database stores of a run, and the folder of its files.

    Raises UsageError if the run wrote no files, or its folder is missing.
    """
    if record.command != "run" or record.report is None or record.folder is None:
        raise UsageError(f"{record.run_id} is a {record.command} that is {record.state}: it has no files")
    folder = Path(record.folder)
    if not folder.is_dir():
        raise UsageError(
            f"the files of run {record.run_id} are not in {folder} on this machine: "
            "move them back there, or, if another machine wrote them, do this there"
        )
    return record.report, folder


def changed_files(stored: Mapping[str, Any], folder: Path, names: Iterable[str]) -> dict[str, str]:
    """By name, which of these files is missing, or has another SHA-256 than this run.json says, and which of both."""
    found = {}
    for name in names:
        if not (folder / name).is_file():
            found[name] = "is missing"
        elif digest(folder / name) != stored["files"][name]["sha256"]:
            found[name] = "was changed"
    return found


def verify(record: RunRecord) -> int:
    """Check every file of a run; returns their number without run.json.

    run.json, which has the hashes, is compared with the copy in the database, which somebody who alters a file does
    not alter too. Raises UsageError like `stored_report`, InputRefused that names the changed files.
    """
    stored, folder = stored_report(record)
    found = changed_files(stored, folder, sorted(stored["files"]))
    if not (folder / "run.json").is_file():
        found["run.json"] = "is missing"
    elif read_run_json(folder) != stored:
        found["run.json"] = "was changed"
    names = {*stored["files"], "run.json"}
    found |= {
        path.name: "does not belong to the run"
        for path in sorted(folder.iterdir())
        if path.name not in names | {DATA_DOCS}
    }
    if found:
        what = "; ".join(f"{name} {says}" for name, says in found.items())
        drawn = all(name.endswith((".html", ".xlsx")) and name in names for name in found)
        mend = f"write them again: reconcile report {record.run_id}" if drawn else "put the files back"
        raise InputRefused(f"{folder} is not as run {record.run_id} left it: {what}; {mend}")
    return len(stored["files"])


def read_run_json(folder: Path) -> Any:
    """The content of a folder's run.json, not checked; None if it is missing or not JSON."""
    try:
        return json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
