"""What keeps `python -m flows.deploy` from its work is one line, with the exit code of the command."""

import os
import shutil
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import deploy

ROOT = Path(__file__).parents[3]
NOWHERE = "http://127.0.0.1:1/api"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder."""
    for name in ("prefect.yaml", "automations.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in os.environ.keys() & {"RECONCILE_TIMEZONE", "PREFECT_API_URL"}:
        monkeypatch.delenv(name)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], address: str | None) -> str:
    with temporary_settings({PREFECT_API_URL: address}), pytest.raises(SystemExit) as ended:
        deploy.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    return str(line)


def test_no_server_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, None).startswith("flows.deploy: PREFECT_API_URL is not set: ")


def test_the_server_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, NOWHERE)
    assert line.startswith(f"flows.deploy: PREFECT_API_URL: Failed to reach API at {NOWHERE}/: start that")


@pytest.mark.parametrize("name", ["prefect.yaml", "automations.yaml"])
def test_another_folder(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / name).unlink()
    assert said(capsys, NOWHERE).startswith(
        f"flows.deploy: {folder / name}: no such file: run this in the pr"
    )


def test_a_wrong_setting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RECONCILE_TIMEZONE", "Mars/Base")
    assert said(capsys, NOWHERE).startswith("flows.deploy: RECONCILE_TIMEZONE: ")
