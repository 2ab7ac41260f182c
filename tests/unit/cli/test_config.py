"""`reconcile init` and `reconcile config show`: what they write is what the settings are."""

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.cli.new_config import new_config
from reconcile.core.errors import UsageError
from reconcile.kspay.paging.period_reader import PAGE_SIZE
from reconcile.settings import SECRETS, VARIABLES, Settings, unknown_variables

TABLES = "# Several apps"
URL = "postgresql://asha:hunter2@db.example/books?sslpassword=hunter2&sslmode=require"


def uncommented(text: str) -> str:
    """The file with every setting switched on; sentences stay comments."""
    return re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)


def test_the_new_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "reconcile.toml").write_text(new_config(), "utf-8")
    assert tomllib.loads(new_config()) == {}
    assert Settings.read({}, tmp_path) == Settings.read({}, tmp_path / "empty")


def test_every_line_of_it_is_a_setting_with_its_default(tmp_path: Path) -> None:
    settings, _, _ = uncommented(new_config()).partition(TABLES)
    found = tomllib.loads(settings)
    assert [*found] == [f"{name}_FILE" if name in SECRETS else name for name in VARIABLES]
    kept = "".join(line for line in settings.splitlines(keepends=True) if "_FILE" not in line)
    (tmp_path / "reconcile.toml").write_text(kept, "utf-8")
    written = Settings.read({}, tmp_path)
    assert written.page_size == PAGE_SIZE  # what is written is kept; else pages may grow
    assert replace(written, page_size=None) == Settings.read({}, tmp_path / "empty")


def test_its_tables_are_valid(tmp_path: Path) -> None:
    tables = TABLES + uncommented(new_config()).partition(TABLES)[2]
    (tmp_path / "keys").mkdir()
    for name in ("access", "secret"):
        (tmp_path / "keys" / name).write_text(name)
    (tmp_path / "reconcile.toml").write_text(tables.replace('"keys/', f'"{tmp_path}/keys/'), "utf-8")
    settings = Settings.read({}, tmp_path)
    assert (settings.app_ids, [*settings.profiles]) == (("ap_1",), ["tally"])
    assert [one.name for one in settings.expects] == ["order_number"]
    assert settings.currencies.digits["USDT"] == 6
    assert [fee.name for fee in settings.fees] == ["CARD INR from 2026-04-01"]


def test_each_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    (tmp_path / "reconcile.toml").write_text(
        f'RECONCILE_LOOKBACK_DAYS = 9\nRECONCILE_GRACE_DAYS = 2\nKSPAY_ACCESS_KEY_FILE = "{tmp_path / "key"}"\n'
    )
    environ = {
        "RECONCILE_GRACE_DAYS": "4",
        "RECONCILE_HOME": "",
        "KSPAY_SECRET_KEY": "hunter2",
        "KSPAY_BASE_URL": "https://asha:hunter2@kspay.example",
        "RECONCILE_DATABASE_URL": URL,
    }
    shown = {one.name: (one.value, one.source) for one in Settings.shown(environ, tmp_path)}
    assert [*shown] == [*VARIABLES]
    assert shown["RECONCILE_LOOKBACK_DAYS"] == ("9", "reconcile.toml")
    assert shown["RECONCILE_GRACE_DAYS"] == ("4", "environment")
    assert shown["RECONCILE_HOME"] == (".reconcile", "default")
    assert shown["RECONCILE_ACCEPT_SUGGESTIONS"] == ("false", "default")
    assert shown["KSPAY_ACCESS_KEY"] == ("***", "reconcile.toml, the file of KSPAY_ACCESS_KEY_FILE")
    assert shown["KSPAY_SECRET_KEY"] == ("***", "environment")
    assert shown["RECONCILE_DATABASE_URL"] == (
        "postgresql+psycopg://asha:***@db.example/books?sslmode=***&sslpassword=***",
        "environment",
    )
    assert "hunter2" not in json.dumps(shown)


def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    known = dict.fromkeys((*VARIABLES, *(f"{name}_FILE" for name in SECRETS), "PATH", "PREFECT_API_URL"), "")
    assert unknown_variables(known) == []
    slips = {
        "KSPAY_APPID": " (is KSPAY_APP_ID meant?)",
        "RECONCILE_DATE_TOLERANCE": " (is RECONCILE_DATE_TOLERANCE_DAYS meant?)",
        "RECONCILE_SECRET_KEY_FILE": " (is KSPAY_SECRET_KEY_FILE meant?)",
        "RECONCILE_XQWV": "",
    }
    assert unknown_variables({**slips, **known}) == [
        f"{name!r} is not a known setting{meant}; docs/settings.md lists them all"
        for name, meant in slips.items()
    ]
    (tmp_path / "reconcile.toml").write_text("timezone = 'UTC'\n")
    with pytest.raises(
        UsageError, match=r"'timezone' is not a known setting \(is RECONCILE_TIMEZONE meant\?\);"
    ):
        Settings.read({}, tmp_path)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_that_is_not_set_is_empty(tmp_path: Path, name: str) -> None:
    assert {one.name: one.value for one in Settings.shown({}, tmp_path)}[name] == ""
