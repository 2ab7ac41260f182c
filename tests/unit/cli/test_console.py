"""What stands beside Prefect: its logs, and the signs of life of a command that is a flow run."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml  # type: ignore[import-untyped]  # a part of Prefect's
from rich.table import Table

from reconcile.cli.console import Told, error_console, print_table, say, table_console
from reconcile.cli.run import _reconciled
from reconcile.pipeline import Finished, Request
from reconcile.settings import Settings

ROOT = Path(__file__).parents[3]
BEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"


def test_prefect_keeps_the_handler_of_json_lines() -> None:
    """Its set-up of logging removes those of the root whose class begins so."""
    assert not Told.__name__.startswith("_")


@pytest.mark.parametrize(("before", "used"), [(None, "30"), ("20", "20")])
def test_a_command_gives_signs_as_the_automation_expects_them(
    before: str | None, used: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    beats: list[tuple[str | None, bool]] = []
    finished = Finished("r", tmp_path, {"open": [], "totals": [{"scope": "period", "count": 1}]}, 0)

    def as_flow_run(*_: object, strict: bool) -> Finished:
        beats.append((os.environ.get(BEAT), strict))
        return finished

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv(BEAT, before or "")
    if before is None:
        monkeypatch.delenv(BEAT)
    monkeypatch.setitem(sys.modules, "flows.reconcile_period", SimpleNamespace(as_flow_run=as_flow_run))
    _reconciled(Settings(occasions=()), Request(None, None, None, tmp_path), strict=True)
    assert beats == [(used, True)]
    automations = yaml.safe_load((ROOT / "automations.yaml").read_text("utf-8"))["automations"]
    [limit] = [one["trigger"]["within"] for one in automations if "heartbeat" in one["name"]]
    assert limit > 3 * 30


@pytest.mark.parametrize("terminal", [True, False])
def test_no_text_is_markup_or_an_emoji(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[/final] [bold]L:x:1[/bold] :bank:"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "100")
    table = Table(text)
    table.add_row(text)
    for console in (table_console(), error_console()):
        print_table(console, table)
        say(console, text)
    out, err = capsys.readouterr()
    assert (out.count(text), err.count(text)) == (3, 3)
