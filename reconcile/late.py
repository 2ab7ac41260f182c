"""`reconcile notify --late`: tells people that no night has finished for too long. The next one need not start for it.

A timer calls it, not what starts the nights: it has to notice that just this is not at work.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reconcile.core.wording import counted
from reconcile.core.writing import whole_file, writing
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.notify import Channels, Message, Sent
from reconcile.settings import Settings

LATE_AFTER = timedelta(hours=26)
"""Since the last night ended: a day, and two hours in which the next one may end."""


@dataclass(frozen=True, slots=True)
class LateApp:
    """An app without a finished night for too long."""

    app_id: str
    run_id: str
    """Of the newest as-of day."""
    as_of: str
    finished_at: datetime
    nights: int
    """That are missing by now."""
    timezone: ZoneInfo

    def __str__(self) -> str:
        at = self.finished_at.astimezone(self.timezone)
        return (
            f"App {self.app_id}: the last run of the newest day is {self.run_id}, as of {self.as_of}. It ended on "
            f"{at:%Y-%m-%d %H:%M} ({self.timezone.key}). {counted(self.nights, 'night')} missing."
        )

    @property
    def night(self) -> str:
        """Which missing night this is: of each, people are told once."""
        return f"{self.run_id} {self.nights}"


@dataclass(frozen=True, slots=True)
class Told:
    """What was found, and what became of the message: nothing, where all had been told before."""

    late: list[LateApp]
    sent: list[Sent]


def tell_if_late(settings: Settings) -> Told:
    """Send one message if no night of an app has finished for 26 hours, once for each missing night.

    What was told is kept in RECONCILE_HOME once a channel took it. Raises UsageError or DiskFull if it cannot be.
    """
    channels = Channels(settings)
    with open_store(settings) as engine:
        found = runs.by_app(engine)
    late = late_apps(
        (app for app in found if not settings.app_ids or app["app_id"] in settings.app_ids),
        datetime.now(UTC),
    )
    told = settings.home.expanduser() / "told-late.json"
    nights = {app.app_id: app.night for app in late}
    before = _read(told)
    if all(before.get(app_id) == night for app_id, night in nights.items()):
        return Told(late, [])
    sent = channels.send(_message(late))
    if any(channel.problem is None for channel in sent):
        with writing(told):
            told.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(told) as aside:
            aside.write_text(json.dumps(nights), "utf-8")
    return Told(late, sent)


def late_apps(apps: Iterable[Mapping[str, Any]], now: datetime) -> list[LateApp]:
    """Those of these rows of `runs.by_app` that are late. One that never had a finished run is not."""
    found = []
    for app in apps:
        report: Mapping[str, Any] | None = app["report"]
        if report is None:
            continue
        finished_at = datetime.fromisoformat(report["finished_at"])
        late_by = now - finished_at - LATE_AFTER
        if late_by > timedelta():
            nights = 1 + late_by // timedelta(days=1)
            zone = ZoneInfo(report["timezone"])
            found.append(LateApp(app["app_id"], report["run_id"], report["to"], finished_at, nights, zone))
    return found


def _message(late: list[LateApp]) -> Message:
    nights = max(app.nights for app in late)
    lines = [
        *map(str, late),
        "",
        "What to do: reconcile runs says what failed since. If it lists nothing, nothing was started: see whether what "
        "starts the nights (Prefect's server and worker, or cron) is at work. The next run takes all days that are "
        "missing.",
    ]
    return Message(
        f"No night has finished: {counted(nights, 'night')} missing", "\n".join(lines), failed=True
    )


def _read(told: Path) -> Mapping[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(told.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}  # then people are told again, rather than not
