"""Dask as the task runner of the flows: how it is asked for, and what a worker refuses."""

import logging
import pickle
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from flows import workers
from reconcile.core.errors import UsageError
from reconcile.core.records import Period
from reconcile.load.fetch_part import fetch_part, part_of
from reconcile.settings import Settings

APRIL = Period(date(2026, 4, 1), date(2026, 4, 30))


@pytest.mark.parametrize(
    ("asked", "address", "cluster"),
    [
        ("dask", None, {}),
        (" dask   2 ", None, {"n_workers": 2}),
        ("dask tcp://10.0.0.7:8786", "tcp://10.0.0.7:8786", None),
        ("dask tls://dask.example:8786", "tls://dask.example:8786", None),
    ],
)
def test_the_setting_chooses_the_task_runner(
    asked: str, address: str | None, cluster: dict[str, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_TASK_RUNNER", asked)
    runner = workers.task_runner()
    assert (type(runner).__name__, getattr(runner, "address", None)) == ("DaskTaskRunner", address)
    listens: dict[str, object] = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    assert getattr(runner, "cluster_kwargs", None) == ({} if cluster is None else listens | cluster)


@pytest.mark.parametrize(
    "asked", ["ray", "dask 0", "dask two", "dask tcp://10.0.0.7", "dask http://x:1", "threads 2"]
)
def test_any_other_word_is_refused(asked: str) -> None:
    with pytest.raises(
        UsageError, match=f"RECONCILE_TASK_RUNNER: '{asked}' is none of threads, dask, dask 4"
    ):
        Settings.read({"RECONCILE_TASK_RUNNER": asked})


def test_without_dask_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "find_spec", lambda _: None)
    monkeypatch.setenv("RECONCILE_TASK_RUNNER", "dask")
    assert workers.task_runner() is None
    assert workers.workers_of(Settings()) is None
    with pytest.raises(
        UsageError, match=r"prefect-dask is not installed: pip install 'kspay-reconcile\[dask\]'"
    ):
        workers.workers_of(Settings.read())


def test_a_worker_with_other_settings_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take in other days, or judge by other rules. What it is sent holds no key."""
    settings = Settings.read(
        {"KSPAY_APP_ID": "ap_1", "KSPAY_ACCESS_KEY": "ak_hidden", "KSPAY_SECRET_KEY": "sk_hidden"}
    )
    part = part_of(settings, "ap_1", APRIL, nightly=False, allow=frozenset())
    assert b"hidden" not in pickle.dumps(part)
    there = replace(settings, timezone=ZoneInfo("UTC"), reread_days=1)
    monkeypatch.setattr(Settings, "read", lambda: there)
    with pytest.raises(
        UsageError, match="differ from those of the run in RECONCILE_REREAD_DAYS, RECONCILE_TIMEZONE: "
    ):
        fetch_part(part, "", lambda *_: None, lambda: None)


def test_no_traceback_of_a_scheduler_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_TASK_RUNNER", "dask tcp://10.0.0.7:8786")
    workers.task_runner()
    assert not logging.getLogger("distributed.client").isEnabledFor(logging.ERROR)
