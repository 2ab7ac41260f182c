"""How a deployment's work ends: states, messages, its time limit."""

import logging
import signal
from pathlib import Path
from typing import Any

import pytest
from prefect.states import Completed
from sqlalchemy.exc import OperationalError

from flows import page, shared
from reconcile.core.errors import InputRefused, ReconcileError, TimeIsUp
from reconcile.notify import Channels, Message
from reconcile.pipeline import Finished
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
