"""How a deployment's work ends: states, messages, its time limit."""

import logging
import signal
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.states import Completed
from sqlalchemy.exc import OperationalError

from flows import backfill, decisions, page, reconcile_period, shared
from reconcile.core.errors import InputRefused, KSPayError, ReconcileError, TimeIsUp, UsageError
from reconcile.core.money import Currencies
from reconcile.core.occasions import read_occasions
from reconcile.inbox import Inbox, Refused
from reconcile.load.fetch_apps import AppsFailed
from reconcile.notify import Channels, Message, link_to
from reconcile.pipeline import Finished, PartlyDone, Request
from reconcile.settings import Settings


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The subjects of what people are told."""
    subjects: list[str] = []

    def send(_: Channels, message: Message) -> list[Any]:
        subjects.append(message.subject)
        return []

    monkeypatch.setattr(Channels, "send", send)
    monkeypatch.setattr(shared, "get_run_logger", lambda: logging.getLogger("flows"))
    monkeypatch.setattr(Settings, "read", Settings)
    return subjects


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeIsUp(8), "TimedOut"),
        (InputRefused("no such column"), "Refused"),
        (ReconcileError("no keys"), "Failed"),
    ],
)
def test_every_failure_is_told(error: BaseException, name: str, told: list[str]) -> None:
    def work(_: Settings) -> Any:
        raise error

    state = shared.deployed(work, 0, "backfill")
    assert (state.type.value, state.name, state.message) == ("FAILED", name, str(error))
    assert told == ["backfill failed"]


def test_a_server_that_is_away_is_asked_again_only_later(
    monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """Each time Prefect's client would let the work wait for a minute."""
    asked: list[float] = []
    bar, away = UUID(int=1), threading.Event()

    def draw(_: UUID, progress: float) -> None:
        asked.append(progress)
        if away.is_set():
            raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr(shared, "create_progress_artifact", lambda *_, **__: bar)
    monkeypatch.setattr(shared, "update_progress_artifact", draw)
    monkeypatch.setattr(shared, "LOG_SECONDS", 0)
    log = shared.PageLog()
    log.begin("fetch")
    log("fetch", "page 1", 0.25)
    away.set()
    log("fetch", "page 2", 0.5)
    log("fetch", "page 3", 0.75)
    log.begin("match")
    log.end("fetch")
    assert asked == [25, 50]
    monkeypatch.setattr(shared, "monotonic", lambda: time.monotonic() + shared.AWAY_SECONDS + 1)
    away.clear()
    log.end("fetch")
    assert asked == [25, 50, 100]


def test_the_time_limit_ends_nothing_once_the_report_stands(told: list[str]) -> None:
    left = []

    def work(_: Settings) -> Any:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])
        with pytest.raises(TimeIsUp, match="stopped after 1 hours"):
            signal.raise_signal(signal.SIGALRM)
        shared.report_stands()
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return Completed()

    assert shared.deployed(work, 1, "backfill").is_completed()
    assert left[0] > 3000
    assert left[1] == 0
    assert told == []


def test_the_log_says_where_latest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared, "get_run_logger", lambda: logging.getLogger("flows"))
    (tmp_path / "latest").symlink_to("2026-08-01_2026-08-31_1")
    for name in ("_artifacts", "_events", "_data_docs", "one_line"):
        monkeypatch.setattr(page, name, lambda *_: "")
    with caplog.at_level(logging.INFO):
        for run_id in ("2026-07-01_2026-07-31_1", "2026-08-02_2026-08-31_1"):
            page.show(Finished(run_id, tmp_path / run_id, {"warnings": []}, 0), Settings(), shared.PageLog())
    assert caplog.text.count("still names 2026-08-01_2026-08-31_1, which is as of a later day") == 1


def test_a_fault_after_the_report_says_that_it_stands(
    told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what strict fails is told as failed, once."""
    report: dict[str, Any] = {"run_id": "r", "warnings": [], "from": "2026-08-01", "to": "2026-08-31"}
    report |= {"timezone": "UTC", "open": [], "quarantined": {}, "discrepancies": {}, "new": 0, "cleared": 0}
    report["totals"] = [{"scope": "period", "count": 1}]
    ends: list[Any] = [TypeError("x"), None]
    (tmp_path / "discrepancies.csv").write_text("")
    monkeypatch.setattr(Settings, "read", lambda: Settings(occasions=read_occasions("failed", Currencies())))
    monkeypatch.setattr("reconcile.report.html.largest_at_risk", lambda *_: [])
    monkeypatch.setattr(
        "reconcile.pipeline.reconcile_period", lambda *_, **__: Finished("r", tmp_path, report, 2)
    )

    def show(*_: object) -> None:
        if (error := ends.pop(0)) is not None:
            raise error

    monkeypatch.setattr(reconcile_period, "show", show)
    with pytest.raises(TypeError):
        reconcile_period.reconcile_period.fn("2026-08-01", "2026-08-31")
    assert told == ["Reconciliation finished, but not all of it is shown"]
    state = reconcile_period.reconcile_period.fn("2026-08-01", "2026-08-31", strict=True)
    assert (state.type.value, state.name) == ("FAILED", "Failed")
    assert told[1:] == ["Failed by strict. Reconciliation 2026-08-01 to 2026-08-31: 0 open, 0 at risk"]


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), OperationalError("", {}, Exception()), ReconcileError("x")],
)
def test_pages_that_cannot_be_written_are_a_warning(
    error: Exception,
    told: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def write(_: Settings, folder: Path) -> None:
        folder.mkdir()
        raise error

    monkeypatch.setattr(page, "write_docs_of_held", write)
    page._data_docs(Settings(), Finished("r", tmp_path, {}, 0), shared.PageLog())
    [line] = [record.getMessage() for record in caplog.records if record.name == "flows"]
    assert line.startswith("no pages of Great Expectations: ")
    assert "\n" not in line
    assert not list(tmp_path.iterdir())


def test_paths_of_a_form_lie_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are those of the command: from the working folder. Without one it is the folder itself."""
    monkeypatch.chdir(tmp_path)
    free, kept = Settings(), Settings(out_root=Path("reports"))
    for settings in (free, kept):
        assert shared.out_folder(settings, "") == tmp_path / "reports"
        assert shared.out_folder(settings, "reports/hand") == tmp_path / "reports" / "hand"
    assert shared.out_folder(free, "other") == tmp_path / "other"
    with pytest.raises(UsageError, match=r"^out: other is not in .*reports: give"):
        shared.out_folder(kept, "other")
    with pytest.raises(UsageError, match=r"^out: s3://books/x is an address: give a path"):
        shared.out_folder(free, "s3://books/x")


def test_a_deployment_takes_the_business_time_zone_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECONCILE_TIMEZONE", raising=False)
    assert shared.deployment_values()["timezone"] == "Asia/Kolkata"
    (tmp_path / "reconcile.toml").write_text("RECONCILE_TIMEZONE = 'America/New_York'\n", "utf-8")
    assert shared.deployment_values()["timezone"] == "America/New_York"


def test_a_link_is_given_only_to_what_is_shown_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for root in (Path(), Path("reports")):
        settings = Settings(out_root=root, report_url="https://books.example/r/")
        assert link_to(Path("reports/1"), settings) == "https://books.example/r/1"
        assert link_to(tmp_path / "reports/by hand/1", settings) == "https://books.example/r/by%20hand/1"
        assert link_to(Path("elsewhere/1"), settings) is None
    assert link_to(Path("reports/1"), Settings()) is None


def test_a_month_that_is_not_whole_does_not_end_a_backfill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """Its others' report stands. The table is shown however it ends."""
    tables: list[list[dict[str, str]]] = []
    report = {"apps": ["ap_a"], "open": [], "discrepancies": {}, "new": 0, "cleared": 0}
    ends: list[BaseException | None] = []

    def a_month(_: Settings, request: Request, *others: object) -> Finished:
        finished = Finished(f"{request.period}", tmp_path, {**report, "run_id": "r"}, 0)
        if (error := ends.pop(0)) is None:
            return finished
        raise (
            error
            if isinstance(error, TimeIsUp)
            else PartlyDone(AppsFailed({"ap_b": KSPayError("x")}), finished)
        )

    def covered(*_: object) -> bool:
        return False

    monkeypatch.setattr(backfill, "_as_task", a_month)
    monkeypatch.setattr(backfill, "_is_covered", covered)
    monkeypatch.setattr(backfill, "PageLog", shared.PageLog)
    monkeypatch.setattr(backfill, "create_table_artifact", lambda rows, **_: tables.append(rows))

    def state() -> Any:
        return backfill.backfill.fn("2026-04-01", "2026-06-30")

    ends += [KSPayError("x"), None, None]
    ended = state()
    assert (ended.name, ended.message) == (
        "Failed",
        "3 months, 1 of them not whole: 2026-04-01 to 2026-04-30 for ap_b failed. "
        "The reports of the others stand: start it again",
    )
    assert [(row["run"][:7], row["failed"]) for row in tables[-1]] == [
        ("2026-04", "ap_b"),
        ("2026-05", ""),
        ("2026-06", ""),
    ]
    ends += [None, TimeIsUp(2)]
    ended = state()
    assert ended.name == "TimedOut"
    assert ended.message.endswith("its time limit; 1 of 3 months stand, start it again for the others")
    assert len(tables[-1]) == 1
    assert len(told) == 2


def test_an_inbox_of_refused_files_is_no_success(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    rows: list[Any] = []
    refused = (Refused("a.csv", "a.csv: no such column"),)
    monkeypatch.setattr(decisions, "create_table_artifact", lambda found, **_: rows.extend(found))
    monkeypatch.setattr("reconcile.pipeline.take_inbox", lambda *_, **__: Inbox(refused=refused))
    state = decisions.decisions.fn()
    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert state.message == "0 decisions of 0 files, 0 ledgers, 1 file refused: a.csv: no such column"
    assert rows == [{"file": "a.csv", "why": "a.csv: no such column"}]
    assert len(told) == 1


def test_a_time_limit_is_not_lost_where_an_exception_would_be() -> None:
    class Thing:
        pass

    def work() -> None:
        thing = Thing()
        watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGALRM))
        with shared._ending_after(1):
            del thing
            assert watched() is None
            time.sleep(20)

    hook = sys.unraisablehook
    with pytest.raises(TimeIsUp, match="stopped after 1 hours"):
        work()
    assert sys.unraisablehook is hook
