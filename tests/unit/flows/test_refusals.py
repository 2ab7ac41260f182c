"""What a form asks for and may not have: refused in the words of the command, before anything is done."""

import logging
from pathlib import Path
from typing import Any

import pytest

from flows import backfill, month_close, reconcile_period, shared


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker is, with the settings of one app."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shared, "get_run_logger", lambda: logging.getLogger("flows"))
    monkeypatch.setenv("KSPAY_BASE_URL", "https://kspay.invalid")
    for name in ("APP_ID", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"KSPAY_{name}", "ap_1")
    return tmp_path


def said(**parameters: Any) -> str:
    """The one line that the run ends with, as failed."""
    state = reconcile_period.reconcile_period.fn(**parameters)
    assert state.type.value == "FAILED"
    return str(state.message)


@pytest.mark.parametrize(
    ("parameters", "begins"),
    [
        ({"from_date": "2026-03-01"}, "from_date and to_date go together: give both, or neither"),
        ({"to_date": "2026-02-30", "from_date": "2026-02-01"}, "to_date: '2026-02-30' is no day"),
        (
            {"from_date": "2026-02-02", "to_date": "2026-02-01"},
            "from_date 2026-02-02 is after to_date 2026-02-01",
        ),
        (
            {"from_date": "2026-02-02", "to_date": "2999-01-01"},
            "--to 2999-01-01 lies in the future: today is",
        ),
        ({"apps": ["ap_other"]}, "--app ap_other: no such app is set (known: "),
        ({"allow": ["mostly"]}, "--allow mostly: no expectation of this name blocks; "),
    ],
)
def test_what_is_asked_for_is_none(parameters: dict[str, Any], begins: str) -> None:
    assert said(**parameters).startswith(begins)


@pytest.mark.parametrize("path", ["/etc/passwd", "../other.csv", "elsewhere/passwd", "x/../../y.csv", "loop"])
@pytest.mark.parametrize("parameter", ["ledger", "out"])
def test_a_path_leads_out_of_the_folder(parameter: str, path: str, folder: Path) -> None:
    (folder / "elsewhere").symlink_to("/etc")
    (folder / "loop").symlink_to("loop")
    says = said(**{"ledger": "ledger.csv", parameter: path})
    assert says.startswith(f"{parameter}: {path} is not in {folder}: give a path inside of it")


def test_a_ledger_is_looked_for_in_the_folder_of_ledgers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_LEDGER_ROOT", "books")
    assert said(ledger="books/ledger.csv").startswith(f"{folder}/books/ledger.csv: no ledger there")
    assert said(ledger="ledger.csv").startswith(f"ledger: ledger.csv is not in {folder}/books: ")


def test_a_field_that_is_null_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(backfill, "_each", lambda _settings, request, *_: asked.append(request.apps))
    monkeypatch.setattr(backfill, "create_table_artifact", lambda *_, **__: None)
    fields: dict[str, Any] = dict.fromkeys(
        ("to_date", "ledger", "profile", "apps", "out", "time_limit_hours")
    )
    state = backfill.backfill.fn(from_date="2026-03-01", **fields)
    assert (state.type.value, asked) == ("COMPLETED", [()]), state
    for name, says in (("by", "by must be a name"), ("month", "close '' is not a month")):
        fields = {"month": "2026-03", "by": "Asha Rao", name: None, "out": None, "time_limit_hours": None}
        failed = month_close.month_close.fn(**fields)
        assert failed.type.value == "FAILED"
        assert str(failed.message).startswith(says)
