"""What a monitoring system reads of the runs: Prometheus' text format, version 0.0.4.

Written by hand, since Prometheus' own library makes every number a binary float; amounts are exact decimals here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from reconcile.core.discrepancies import TYPES

_METRICS: Mapping[str, tuple[str, str]] = {
    "reconcile_runs_total": ("counter", "Runs that ended, by how."),
    "reconcile_last_run_failed": ("gauge", "1 if the newest run failed."),
    "reconcile_last_success_timestamp_seconds": (
        "gauge",
        "When the newest finished run ended, in Unix time.",
    ),
    "reconcile_as_of_timestamp_seconds": ("gauge", "The end of the as-of day of the newest finished run."),
    "reconcile_stage_seconds": ("gauge", "How long each stage of the newest finished run took."),
    "reconcile_open_discrepancies": ("gauge", "Open discrepancies, by severity and currency."),
    "reconcile_open_amount": ("gauge", "What is at stake in them, in major units of the currency."),
    "reconcile_discrepancies": ("gauge", "Open discrepancies, by type."),
    "reconcile_quarantined_records": ("gauge", "Records that cannot be used, by side."),
    "reconcile_fetched_records": ("gauge", "Records that the newest finished run fetched."),
    "reconcile_fetched_pages": ("gauge", "Answers of KS Pay that it took."),
    "reconcile_repeated_requests": (
        "gauge",
        "Requests to KS Pay that were repeated after a refusal, an error or no answer.",
    ),
    "reconcile_refused_files": ("gauge", "Files of the inbox that it refused."),
    "reconcile_warnings": ("gauge", "Its warnings."),
}
"""By name: type and help, in the order of the text."""

NAMES = tuple(_METRICS)

_Sample = tuple[str, Mapping[str, str], object]


def metrics(apps: Iterable[Mapping[str, Any]]) -> str:
    """The text. `apps` are rows of `reconcile.db.runs.by_app`."""
    apps = list(apps)
    # One run may be the newest of several apps.
    newest = {app["report"]["run_id"]: app["report"] for app in apps if app["report"] is not None}
    samples: defaultdict[str, list[str]] = defaultdict(list)
    for found in (*map(_of_app, apps), *map(_of_run, newest.values())):
        for name, labels, value in found:
            shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            samples[name].append(f"{name}{{{shown}}} {value}")
    return "".join(
        f"# HELP {name} {says}\n# TYPE {name} {kind}\n" + "".join(f"{line}\n" for line in samples[name])
        for name, (kind, says) in _METRICS.items()
        if samples[name]
    )


def _of_app(app: Mapping[str, Any]) -> Iterator[_Sample]:
    label = {"app": app["app_id"]}
    for state in ("finished", "failed"):
        yield "reconcile_runs_total", label | {"state": state}, app[state]
    yield "reconcile_last_run_failed", label, int(app["last_state"] == "failed")
    report = app["report"]
    if report is None:
        return
    yield "reconcile_last_success_timestamp_seconds", label, _seconds(app["succeeded_at"])
    zone = ZoneInfo(report["timezone"])
    as_of = datetime.combine(date.fromisoformat(report["to"]), time(23, 59, 59), zone)
    yield "reconcile_as_of_timestamp_seconds", label, _seconds(as_of)
    for row in report["open"]:
        if row["app_id"] == app["app_id"] and "severity" in row:  # a run of an older version does not say it
            labels = label | {"severity": row["severity"], "currency": row["currency"]}
            yield "reconcile_open_discrepancies", labels, row["count"]
            yield "reconcile_open_amount", labels, row["amount"]
    for fetched in report["fetched"]:
        if fetched["app_id"] == app["app_id"]:
            yield "reconcile_fetched_records", label, fetched["records"]
            yield "reconcile_fetched_pages", label, fetched["pages"]
            if "repeated_requests" in fetched:  # a run of an older version does not say it
                yield "reconcile_repeated_requests", label, fetched["repeated_requests"]


def _of_run(report: Mapping[str, Any]) -> Iterator[_Sample]:
    """What is known of a run as a whole. No two newest runs are of the same apps."""
    apps = {"apps": " ".join(report["apps"])}
    for stage, seconds in report["seconds"].items():
        yield "reconcile_stage_seconds", apps | {"stage": stage}, seconds
    for name in TYPES:
        yield "reconcile_discrepancies", apps | {"type": name}, report["discrepancies"].get(name, 0)
    for side in ("kspay", "ledger"):
        yield "reconcile_quarantined_records", apps | {"side": side}, report["quarantined"].get(side, 0)
    yield "reconcile_refused_files", apps, len(report["inbox"]["refused"])
    yield "reconcile_warnings", apps, len(report["warnings"])


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
