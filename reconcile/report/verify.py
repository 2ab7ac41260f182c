"""The files of a finished run: where they are, and whether they still are what the run left."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconcile.core.errors import InputRefused, UsageError
from reconcile.db.runs import RunRecord
from reconcile.report.csv_files import digest


def kept(record: RunRecord) -> tuple[Mapping[str, Any], Path]:
    """The run.json that the database keeps of a run, and the folder of its files.

    Raises UsageError if the run wrote none, or its folder is gone.
    """
    if record.command != "run" or record.report is None or record.folder is None:
        raise UsageError(f"{record.run_id} is a {record.command} that is {record.state}: it has no files")
    folder = Path(record.folder)
    if not folder.is_dir():
        raise UsageError(f"the files of run {record.run_id} are no longer at {folder}: move them back there")
    return record.report, folder


def differing(known: Mapping[str, Any], folder: Path, names: Iterable[str]) -> dict[str, str]:
    """By its name, which of these files is missing or has another SHA-256 than this run.json says."""
    found = {}
    for name in names:
        if not (folder / name).is_file():
            found[name] = "is missing"
        elif digest(folder / name) != known["files"][name]["sha256"]:
            found[name] = "was changed"
    return found


def verify(record: RunRecord) -> int:
    """Check every file of a run; how many there are beside run.json.

    run.json, which holds the hashes, is compared with what the database keeps: whoever alters the file does
    not alter that with it. Raises UsageError like `kept`, InputRefused that names what is not as it was left.
    """
    known, folder = kept(record)
    found = differing(known, folder, sorted(known["files"]))
    if not (folder / "run.json").is_file():
        found["run.json"] = "is missing"
    elif read_run_json(folder) != known:
        found["run.json"] = "was changed"
    names = {*known["files"], "run.json"}
    found |= {
        path.name: "is none of its files" for path in sorted(folder.iterdir()) if path.name not in names
    }
    if found:
        what = "; ".join(f"{name} {says}" for name, says in found.items())
        drawn = all(name.endswith((".html", ".xlsx")) and name in names for name in found)
        mend = f"draw them again: reconcile report {record.run_id}" if drawn else "put the files back"
        raise InputRefused(f"{folder} is not as run {record.run_id} left it: {what}; {mend}")
    return len(known["files"])


def read_run_json(folder: Path) -> Any:
    """The content of a folder's run.json, whatever it says; None if it is missing or no JSON."""
    try:
        return json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
