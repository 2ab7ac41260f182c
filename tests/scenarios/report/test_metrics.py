"""`reconcile metrics`: Prometheus reads it, and its figures are those of the report."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from reconcile.core.discrepancies import TYPES
from reconcile.report.metrics import metrics
from tests.support.driver import Command, MakeCommand, Outcome, Shop

Samples = dict[str, dict[frozenset[tuple[str, str]], str]]


def parsed(text: str) -> Samples:
    """By name and labels, each value as it is written; Prometheus' own parser reads the text too."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    written = [line.rpartition(" ")[2] for line in text.splitlines() if not line.startswith("#")]
    samples = [sample for family in families for sample in family.samples]
    assert [sample.value for sample in samples] == [float(value) for value in written]
    found: Samples = {}
    for sample, value in zip(samples, written, strict=True):
        at = found.setdefault(sample.name, {})
        assert at.setdefault(frozenset(sample.labels.items()), value) == value
    return found


def test_the_figures_of_a_run(small_shop: Shop, small_run: tuple[Command, Outcome], tmp_path: Path) -> None:
    command, _ = small_run
    text = command.good("metrics").out
    samples = parsed(text)
    report = command.latest()
    rows = report.rows("discrepancies")
    severities = Counter(row["severity"] for row in rows)
    open_items = samples["reconcile_open_discrepancies"]
    for severity, count in severities.items():
        assert (
            sum(int(value) for labels, value in open_items.items() if ("severity", severity) in labels)
            == count
        )
    types = Counter(row["type"] for row in rows)
    for labels, value in samples["reconcile_discrepancies"].items():
        assert int(value) == types[dict(labels)["type"]]
    assert len(samples["reconcile_discrepancies"]) == len(TYPES)
    stakes = {(row["severity"], row["currency"]): row["amount"] for row in report.document()["open"]}
    amounts = samples["reconcile_open_amount"]
    assert {(dict(one)["severity"], dict(one)["currency"]): value for one, value in amounts.items()} == stakes
    assert all(Decimal(value) >= 0 for value in stakes.values())
    quarantined = Counter(row["side"] for row in report.rows("quarantine"))
    for labels, value in samples["reconcile_quarantined_records"].items():
        assert int(value) == quarantined[dict(labels)["side"]]
    [fetched] = report.document()["fetched"]
    for name, figure in {
        "reconcile_fetched_records": fetched["records"],
        "reconcile_fetched_pages": fetched["pages"],
        "reconcile_repeated_requests": fetched["repeated_requests"],
    }.items():
        assert samples[name] == {frozenset({("app", fetched["app_id"])}): str(figure)}
    took = {dict(labels)["stage"]: value for labels, value in samples["reconcile_stage_seconds"].items()}
    assert took == {stage: str(seconds) for stage, seconds in report.document()["seconds"].items()}
    [failed] = samples["reconcile_last_run_failed"].values()
    assert failed == "0"
    target = tmp_path / "reconcile.prom"
    # A crontab has no keys of KS Pay, and no app.
    no_app = dict.fromkeys(("KSPAY_APP_ID", "KSPAY_ACCESS_KEY", "KSPAY_SECRET_KEY"), "")
    assert command.good("metrics", "--textfile", str(target), **no_app).out == ""
    assert target.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["reconcile.prom"]
    nowhere = command("metrics", "--textfile", str(tmp_path / "none" / "reconcile.prom"))
    assert nowhere.code == 2
    assert "cannot be written: No such file" in nowhere.complaint


def run_json(run_id: str, apps: list[str]) -> dict[str, Any]:
    """As much of a run.json as the metrics read."""
    return {
        "run_id": run_id,
        "apps": apps,
        "timezone": "UTC",
        "to": "2026-08-31",
        "seconds": {"match": 1.5},
        "open": [
            {"app_id": app, "severity": "high", "currency": "INR", "count": 1, "amount": "1.00"}
            for app in apps
        ],
        "discrepancies": {"MISSING_IN_LEDGER": len(apps)},
        "quarantined": {},
        "fetched": [{"app_id": app, "records": 1, "pages": 1, "repeated_requests": 2} for app in apps],
        "inbox": {"refused": []},
        "warnings": [],
    }


def test_no_series_stands_twice() -> None:
    """One app ran alone after a run of both."""
    at = datetime(2026, 9, 1, tzinfo=UTC)
    ended = {"finished": 1, "failed": 0, "last_state": "finished", "succeeded_at": at}
    old = run_json("of both", ["a", "b"])
    del old["open"][0]["severity"]  # as an older version wrote it
    text = metrics(
        [
            {"app_id": "a", "report": run_json("alone", ["a"]), **ended},
            {"app_id": "b", "report": old, **ended},
        ]
    )
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
    samples = parsed(text)["reconcile_open_amount"]
    assert {dict(labels)["app"] for labels in samples} == {"a", "b"}


def test_before_and_after_the_first_run_fails(make_command: MakeCommand, calm_shop: Shop) -> None:
    command = make_command(calm_shop[1])
    assert command.good("metrics").out == ""
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    days = ("--from", str(calm_shop[0].first_day), "--to", str(calm_shop[0].last_day))
    wrong = command("run", *days, "--ledger", "ledger.csv", KSPAY_SECRET_KEY="wrong")
    assert wrong.code == 4
    samples = parsed(command.good("metrics").out)
    assert [*samples["reconcile_last_run_failed"].values()] == ["1"]
    assert "reconcile_last_success_timestamp_seconds" not in samples
