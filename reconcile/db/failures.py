"""Failures of runs that the database could not take, since it was away: a small file each in RECONCILE_HOME.

Whatever opens the database next takes them in and removes them. Each file names the row that it becomes, so it is
one row also where several processes take it in, or one is killed between the two. A file never changes.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from reconcile.core.records import Period
from reconcile.core.wording import counted
from reconcile.core.writing import whole_file, writing
from reconcile.db.sql_files import read_sql

KEPT = 100
"""Files that are kept, the newest: a scheduler may try every minute for a week."""

ENDED_WITHOUT_A_MESSAGE = "ended without a message (killed, or its database went away); nothing was reported"
"""What is said of a run whose process is gone, and of which nothing more is known."""


def keep_failure(home: Path, command: str, app_ids: Sequence[str], period: Period, error: str) -> None:
    """Keep a failure of what was no run yet. Raises UsageError or DiskFull if it cannot be written."""
    run_id = f"{period.first}_{period.last}_failed_{secrets.token_hex(6)}"
    first, last = str(period.first), str(period.last)
    _keep(
        home,
        {
            "run_id": run_id,
            "error": error,
            "command": command,
            "apps": list(app_ids),
            "first": first,
            "last": last,
        },
    )


def keep_loss(home: Path, run_id: str, error: str) -> None:
    """Keep why a run failed that the database calls running. Raises UsageError or DiskFull if it cannot be written."""
    _keep(home, {"run_id": run_id, "error": error})


def left(home: Path) -> list[Path]:
    """The files that are not taken in, the oldest first."""
    with suppress(OSError):
        return sorted(_folder(home).glob("*.json"))
    return []


def untaken(home: Path) -> list[str]:
    """What to say of those that stayed although the database was opened."""
    return [
        f"{path}: why a run failed, and it cannot be read or removed: look at it, then remove it"
        for path in left(home)
    ]


def take_in(engine: Engine, home: Path) -> None:
    """Make rows of what was kept, and remove the files. What cannot be read stays."""
    found: dict[Path, dict[str, Any]] = {}
    for path in left(home):
        with suppress(OSError, ValueError, KeyError, TypeError):
            found[path] = _read(path)
    dropped = sum(row.pop("dropped") for row in found.values())
    taken = []
    for path, row in found.items():
        if dropped:
            row["error"] += f" ({counted(dropped, 'failure')} before this one left no row)"
            dropped = 0
        statement = "db/take_in_failure" if "apps" in row else "db/note_loss"
        with suppress(DBAPIError):
            with engine.begin() as connection:
                connection.execute(text(read_sql(statement)), row)
            taken.append(path)
    # Only when all have their rows: else the number of those without one could be told twice.
    for path in taken:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _folder(home: Path) -> Path:
    return home.expanduser() / "failures"


def _keep(home: Path, content: Mapping[str, Any]) -> None:
    folder, at = _folder(home), datetime.now(UTC)
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    dropped = sum(_drop(path) for path in left(home)[: -(KEPT - 1)])
    name = f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.json"  # in the order of time
    with (
        whole_file(folder / name, new=True) as aside,
        open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file,
    ):
        json.dump({**content, "at": at.isoformat(), "dropped": dropped}, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


def _drop(path: Path) -> int:
    """Remove a file; gives how many failures thereby leave no row."""
    dropped = 0
    with suppress(OSError, ValueError, KeyError, TypeError):
        dropped = _read(path)["dropped"]
    try:
        path.unlink()
    except OSError:  # another process removed it
        return 0
    return 1 + dropped


def _read(path: Path) -> dict[str, Any]:
    """The values of its statement. Raises OSError, ValueError, KeyError or TypeError for what is no such file."""
    kept = json.loads(path.read_text("utf-8"))
    row = {name: str(kept[name]) for name in ("run_id", "error")} | {"dropped": int(kept["dropped"])}
    if "apps" not in kept:
        return row | {"unknown": ENDED_WITHOUT_A_MESSAGE}
    return row | {
        "command": str(kept["command"]),
        "apps": [str(app_id) for app_id in kept["apps"]],
        "first": date.fromisoformat(kept["first"]),
        "last": date.fromisoformat(kept["last"]),
        "at": datetime.fromisoformat(kept["at"]),
    }
