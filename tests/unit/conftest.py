"""What unit tests share, and that none of them starts a server."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from reconcile.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples" / "ledgers"


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A working folder with the examples in it."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.executescript((EXAMPLES / "shop.sql").read_text("utf-8"))
    database.close()
    monkeypatch.chdir(tmp_path)
    return Settings.read({"KSPAY_APP_ID": "ap_1"})
