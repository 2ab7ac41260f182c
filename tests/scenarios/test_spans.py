"""Whoever set up OpenTelemetry gets a span of each run and each of its stages, with counts and never with data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from reconcile.core.errors import KSPayError
from reconcile.core.records import Period
from reconcile.kspay import Credentials
from reconcile.pipeline import Request, reconcile_period
from reconcile.settings import Settings
from tests.support.driver import Report, Shop


class Recorded(trace.NonRecordingSpan):
    """A span that keeps what it is told."""

    def __init__(self, name: str, within: str) -> None:
        super().__init__(trace.INVALID_SPAN_CONTEXT)
        self.name, self.within = name, within
        self.attributes: dict[str, Any] = {}
        self.status: tuple[Any, ...] = ()

    def set_attributes(self, attributes: Any) -> None:
        self.attributes |= attributes

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.status = (status, description)


class Recorder(trace.NoOpTracer):
    """A tracer in memory, of OpenTelemetry's own interface."""

    def __init__(self) -> None:
        self.spans: list[Recorded] = []
        self._open = [""]

    @contextmanager
    def start_as_current_span(self, name: str, *_: Any, **how: bool) -> Iterator[Recorded]:  # type: ignore[override]
        assert not how["record_exception"]
        self.spans.append(Recorded(name, self._open[-1]))
        self._open.append(name)
        try:
            yield self.spans[-1]
        finally:
            self._open.pop()


def test_a_run_and_its_stages(
    calm_shop: Shop, make_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant, sandbox = calm_shop
    merchant.write_ledger(tmp_path / "ledger.csv")
    app = Credentials(sandbox.base_url, sandbox.app_id, sandbox.access_key, sandbox.secret_key)
    settings = Settings(apps=(app,), app_ids=(app.app_id,), database_url=make_database())
    request = Request(
        Period(merchant.first_day, merchant.last_day), tmp_path / "ledger.csv", out=tmp_path / "out"
    )
    recorder = Recorder()
    monkeypatch.setattr(trace, "get_tracer", lambda _: recorder)
    done = reconcile_period(settings, request)
    by_name = {one.name: one for one in recorder.spans}
    assert [(one.name, one.within) for one in recorder.spans] == [
        ("reconcile run", ""),
        *((stage, "reconcile run") for stage in ("ledger", "fetch", "match", "report")),
        ("validate", "report"),
    ]
    report = Report(done.folder).document()
    assert by_name["reconcile run"].attributes == {"reconcile.run_id": done.run_id, "reconcile.apps": 1}
    assert by_name["fetch"].attributes["reconcile.records"] == report["fetched"][0]["records"]
    assert by_name["ledger"].attributes["reconcile.added"] == report["imported"]["added"]
    assert by_name["match"].attributes["reconcile.discrepancies"] == sum(report["discrepancies"].values())
    assert by_name["report"].attributes == {"reconcile.files": len(report["files"])}
    assert {one.status for one in recorder.spans} == {()}

    recorder.spans.clear()
    refused = replace(settings, apps=(replace(app, secret_key="wrong"),))
    with pytest.raises(KSPayError) as raised:
        reconcile_period(refused, request)
    failed = [one for one in recorder.spans if one.status]
    assert [one.name for one in failed] == ["reconcile run", "fetch"]
    assert {one.status for one in failed} == {(trace.StatusCode.ERROR, type(raised.value).__name__)}
