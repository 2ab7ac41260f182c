"""From when on a night is missing, and how many are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconcile.late import late_apps

NOW = datetime(2026, 9, 3, 3, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("ago", "nights"),
    [
        (timedelta(hours=26), []),
        (timedelta(hours=26) + SECOND, [1]),
        (timedelta(hours=50) - SECOND, [1]),
        (timedelta(hours=50), [2]),
        (timedelta(days=30), [29]),
        (-SECOND, []),
    ],
)
def test_how_many_nights_are_missing(ago: timedelta, nights: list[int]) -> None:
    report = {
        "run_id": "r",
        "to": "2026-09-01",
        "finished_at": (NOW - ago).isoformat(),
        "timezone": "Asia/Kolkata",
    }
    apps: list[dict[str, Any]] = [{"app_id": "ap_1", "report": report}, {"app_id": "ap_new", "report": None}]
    assert [(app.app_id, app.nights) for app in late_apps(apps, NOW)] == [("ap_1", many) for many in nights]
