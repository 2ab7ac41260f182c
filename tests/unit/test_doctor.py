"""What doctor makes of the settings that a Prefect server tells. Its address is never among them."""

from pathlib import Path
from typing import Any

import pytest

from reconcile.doctor import prefect_database


@pytest.mark.parametrize(
    ("driver", "files", "here", "warns", "says"),
    [
        (None, ["prefect.db", "prefect.db-wal"], True, True, "works on SQLite ({}/prefect.db), which"),
        ("sqlite+aiosqlite", [], False, True, "works on SQLite, which"),
        ("postgresql+asyncpg", ["prefect.db", "prefect.db-wal"], True, False, "works on PostgreSQL"),
        # Left from the time before Postgres, or the folder of another machine.
        (None, ["prefect.db"], True, False, "no SQLite of it is seen from here"),
        (None, ["prefect.db", "prefect.db-wal"], False, False, "no SQLite of it is seen from here"),
    ],
)
def test_the_database_of_a_server(
    tmp_path: Path, driver: str | None, files: list[str], here: bool, warns: bool, says: str
) -> None:
    for name in files:
        (tmp_path / name).touch()
    told: dict[str, Any] = {"home": str(tmp_path), "server": {"database": {"driver": driver}}}
    found = prefect_database(told, here=here)
    assert (found.exit_code, found.warns) == (0, warns)
    assert says.format(tmp_path) in found.says
