"""What deploys the program names only what there is: files, commands, options, settings, metrics.

Neither Docker nor systemd is needed: these files are read, and only one line of them is run.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]  # a part of Prefect's

from reconcile.cli.main import cli
from reconcile.report.metrics import NAMES
from reconcile.settings import SECRETS, VARIABLES

ROOT = Path(__file__).parents[2]
KNOWN = {*VARIABLES, *(f"{name}_FILE" for name in SECRETS)}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
TIMERS = sorted((ROOT / "deploy" / "systemd").glob("*.timer"))
THEIRS = ("./ledgers", "./inbox", "./reconcile.toml")
"""What people put beside compose.yaml."""
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


def check(words: list[str]) -> None:
    """A command line of ours or Prefect's; of ours every option exists."""
    if words[0] != "reconcile":
        assert words[0] == "prefect" or words == ["python", "-m", "flows.deploy"], words
        return
    command = cli.commands[words[1]]
    assert isinstance(command, click.Command)
    options = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("--")} <= options, words


def test_the_image_is_small_and_not_of_root() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    instructions = [line.split() for line in lines if line[:1].isupper()]
    users = [words[1] for words in instructions if words[0] == "USER"]
    assert users[-1:] == ["10001"]
    assert not [line for line in lines if "requirements-dev" in line or "[dev]" in line]
    assert [line for line in lines if "--require-hashes -r requirements.lock" in line]
    sources = [
        word
        for words in instructions
        if words[0] == "COPY"
        for word in words[1:-1]
        if "--from" not in words[1]
    ]
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[0] == "!"
    }
    assert {source for source in sources if source[0] != "/"} == allowed
    assert all((ROOT / source).exists() for source in allowed)
    last = " ".join(lines[lines.index("FROM python:3.11-slim") :])
    assert "pip install" not in last


def test_the_services_of_compose() -> None:
    services = COMPOSE["services"]
    assert {*services} == {"postgres", "prefect", "deploy", "worker", "reports"}
    for name, service in services.items():
        environment = service.get("environment", {})
        ours = {variable for variable in environment if variable.startswith(("KSPAY_", "RECONCILE_"))}
        assert ours <= KNOWN, name
        if name != "postgres":
            check([*service.get("entrypoint", ["reconcile"]), *service["command"]])
        # No secret stands in the file, and no port is open to other machines.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        assert {*service.get("secrets", ())} <= {*COMPOSE["secrets"]}
        assert {*service.get("depends_on", {})} <= {*services}
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source in THEIRS or (ROOT / source).exists(), volume
    # The first start of Prefect's server takes longer than three looks at its health.
    assert services["prefect"]["healthcheck"]["start_period"] == "120s"
    for name in ("deploy", "worker"):
        assert "./reconcile.toml:/srv/reconcile/reconcile.toml:ro" in services[name]["volumes"]
    inbox = services["worker"]["environment"]["RECONCILE_INBOX"]
    assert f"./inbox:/srv/reconcile/{inbox}" in services["worker"]["volumes"]
    server = services["prefect"]["environment"]["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert server.startswith("postgresql+asyncpg://")


def test_the_deployments() -> None:
    """Each with its tags, the version, what it is for, and a time limit."""
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
    found = {one["name"]: (one["tags"], one["parameters"]["time_limit_hours"]) for one in deployments}
    assert found == {
        "nightly": (["reconcile", "nightly"], 8),
        "on-demand": (["reconcile"], 8),
        "backfill": (["reconcile"], 72),
        "month-close": (["reconcile", "close"], 1),
        "decisions": (["reconcile"], 1),
        "validate": (["reconcile"], 4),
    }
    for one in deployments:
        assert one["version"] == "{{ settings.version }}"
        assert len(one["description"].split()) > 5
        assert one["work_pool"]["name"] == "reconcile"
        path, _, flow = one["entrypoint"].partition(":")
        assert f"\ndef {flow}(" in (ROOT / path).read_text("utf-8")
    assert len({one["description"] for one in deployments}) == len(deployments)


def test_the_automations_know_every_end_of_a_run() -> None:
    automations = yaml.safe_load((ROOT / "automations.yaml").read_text("utf-8"))["automations"]
    expected = {one["name"]: {*one["trigger"]["expect"]} for one in automations}
    ends = {"Completed", "Over limit", "Failed", "TimedOut", "Refused", "Skipped", "Crashed", "Cancelled"}
    assert {f"prefect.flow-run.{end}" for end in ends} < expected["reconcile heartbeat is gone"]
    # A night that another run made up for is not missing.
    assert expected["reconcile no finished night"] == {"reconcile.finished", "reconcile.skipped"}
    bad = {f"prefect.flow-run.{end}" for end in ("Failed", "TimedOut", "Refused")}
    assert expected["reconcile failed"] == bad


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_of_systemd(unit: Path) -> None:
    text = unit.read_text("utf-8")
    values = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))
    # A run is a process of its own: it must not outlive the worker.
    assert (values["KillMode"], values["User"]) == ("control-group", "reconcile")
    program, *words = shlex.split(values["ExecStart"])
    check([Path(program).name, *words])
    timed = unit.with_suffix(".timer") in TIMERS  # the timer is what is installed
    assert (values.get("Type") == "oneshot") == timed
    sections = ["Unit", "Service", *([] if timed else ["Install"])]
    assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE) == sections
    for other in re.findall(r"\breconcile-\w+\.service\b", text):
        assert (unit.parent / other).exists()


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.stem)
def test_a_timer_of_systemd(timer: Path) -> None:
    assert timer.with_suffix(".service") in UNITS
    text = timer.read_text("utf-8")
    assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE) == ["Unit", "Timer", "Install"]
    assert dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))["WantedBy"] == "timers.target"


def test_the_unit_of_the_worker_ends_its_run_first() -> None:
    """Else the worker kills the run, and nobody tells Prefect's page."""
    text = (ROOT / "deploy" / "systemd" / "reconcile-worker.service").read_text("utf-8")
    [stop] = re.findall(r"^ExecStop=-(.*)$", text, re.MULTILINE)
    words = shlex.split(stop.replace("$$", "$"))  # as systemd reads it
    worker = "import subprocess; print(subprocess.call(['sleep', '60']))"
    with subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE, text=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not children.read_text():
            assert process.poll() is None
        subprocess.run(words, env={**os.environ, "MAINPID": str(process.pid)}, timeout=60, check=True)
        assert process.communicate(timeout=60)[0] == f"{-signal.SIGTERM}\n"


def test_the_environment_of_the_units() -> None:
    text = (ROOT / "deploy" / "reconcile.env.example").read_text("utf-8")
    named = set(re.findall(r"^((?:KSPAY|RECONCILE)_\w+)=", text, re.MULTILINE))
    assert named
    assert named <= KNOWN


def test_the_dashboard_is_one_that_grafana_and_prometheus_understand() -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

    register_default_plugins()  # the models of queries and kinds of panels
    written = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
    read = Dashboard.from_json(written)
    # What its models do not know, or know otherwise, would be lost or another value.
    assert lacking(written, json.loads(JSONEncoder().encode(read))) == []
    assert read.panels
    for panel in read.panels:
        assert isinstance(panel, Panel)
        assert panel.targets
        for target in panel.targets:
            promql_parser.parse(target.expr)  # type: ignore[attr-defined]  # of a Prometheus query


def lacking(of: Any, by: Any, place: str = "") -> list[str]:
    """The places of a document whose value another one has not."""
    if isinstance(of, dict) and isinstance(by, dict):
        return [found for name in of for found in lacking(of[name], by.get(name), f"{place}/{name}")]
    if isinstance(of, list) and isinstance(by, list) and len(of) == len(by):
        return [
            found
            for number, (one, other) in enumerate(zip(of, by, strict=True))
            for found in lacking(one, other, f"{place}/{number}")
        ]
    return [] if of == by else [place]


def panels(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in found:
        yield panel
        yield from panels(panel.get("panels", []))


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text("utf-8"))
    every = list(panels(dashboard["panels"]))
    assert len({panel["id"] for panel in every}) == len(every)
    assert dashboard["schemaVersion"] >= 39
    asked = set()
    for panel in every:
        assert panel["title"]
        assert {"h", "w", "x", "y"} == {*panel["gridPos"]}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            assert (
                target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            )
            names = set(re.findall(r"\breconcile_\w+", target["expr"]))
            assert names
            assert target["expr"].count("(") == target["expr"].count(")")
            asked |= names
    assert asked <= {*NAMES}
    # All that tells of the state of things is on it; amounts are never added up over currencies.
    assert {*NAMES} - asked <= {
        "reconcile_as_of_timestamp_seconds",
        "reconcile_runs_total",
        "reconcile_fetched_pages",
    }
    amounts = [
        target["expr"] for panel in every for target in panel["targets"] if "_amount" in target["expr"]
    ]
    assert amounts
    assert [panel["targets"][0]["expr"] for panel in every if "risk" in panel["title"]] == [
        'sum by (app, currency) (reconcile_open_amount{severity="high"})'
    ]
    assert all("by (" in expr and "currency" in expr for expr in amounts if "sum" in expr)
