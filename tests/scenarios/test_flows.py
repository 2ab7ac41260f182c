"""The flow on a real Prefect server with a process worker: by hand, by cron, and begun by the command."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.process import ProcessWorker
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from flows.page import ended
from flows.summary import escaped
from reconcile import doctor
from reconcile.pipeline import Finished
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from reconcile.settings import Settings
from tests.scenarios.test_pipeline_together import write_apps
from tests.support.catchers import web_hook
from tests.support.desk import PERSON
from tests.support.driver import CSVS, Command, MakeCommand, Report, Running, Shop
from tests.support.gate import Hold, gate

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ZONE = "America/New_York"
"""Where nights end, as the deployments are made."""
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
NO_PREFECT = dict.fromkeys(("PREFECT_API_URL", "PREFECT_HOME", *QUIET))
EVERY_MINUTE = """
  - name: every-minute
    entrypoint: flows/reconcile_period.py:reconcile_period
    schedules:
      - cron: "* * * * *"
        timezone: "{{ settings.timezone }}"
    parameters: {from_date: "FIRST", to_date: "LAST", ledger: ledger.csv, out: minutes}
    work_pool: *work_pool
"""
TRIES = """
import os, sys
from flows import reconcile_period as module
module.FETCH_RETRY_SECONDS = (1,) * 50
parameters = {"from_date": sys.argv[1], "to_date": sys.argv[2], "ledger": "ledger.csv", "return_state": True}
def said(**parameters):
    return module.reconcile_period(**parameters, return_state=True).message
assert said(ledger="", from_date="", to_date="").startswith("no ledger yet")
for parameter in ("ledger", "out"):
    says = said(**{"ledger": "ledger.csv", parameter: "/etc/passwd"})
    assert says.startswith(f"{parameter}: /etc/passwd is not in {os.getcwd()}: give a path inside of it"), says
right, os.environ["KSPAY_SECRET_KEY"] = os.environ["KSPAY_SECRET_KEY"], "wrong"
assert module.reconcile_period(out="refused", **parameters).is_failed()
os.environ["KSPAY_SECRET_KEY"], os.environ["KSPAY_BASE_URL"] = right, sys.argv[3]
assert module.reconcile_period(out="late", **parameters).is_completed()
"""
AGAIN = """
import sys
from flows import reconcile_period as module, shared
shared.DATABASE_RETRY_SECONDS = (1,) * 50
module.reconcile_period(from_date=sys.argv[1], to_date=sys.argv[2], ledger="ledger.csv", return_state=True)
"""
HISTORY = """
from flows import backfill as module, reconcile_period as other
def said():
    return module.backfill(from_date="2026-04-01", to_date="2026-05-03", out="history", return_state=True).message
for ended in ("2 months, 1 of them reconciled now, 1 before", "2 months, 0 of them reconciled now, 2 before"):
    says = said()
    assert says == ended, says
state = other.reconcile_period(time_limit_hours=1e-7, return_state=True)
assert (state.type.value, state.name, state.message) == (
    "FAILED", "TimedOut", "stopped after 1e-07 hours, its time limit; nothing was reported"), state
"""
FANNED_OUT = """
import multiprocessing, os, sys
import cloudpickle, dask, distributed
from distributed.utils import get_mp_context
from prefect.flows import load_flow_from_entrypoint
from reconcile.settings import Settings
# Processes of their own, whose imports are done once.
dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
get_mp_context()
multiprocessing.set_forkserver_preload(["distributed", "flows.workers", "great_expectations"])
cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
os.environ["RECONCILE_TASK_RUNNER"] = f"dask {cluster.scheduler_address}"
submit = distributed.Client.submit
def watched(self, *parts, **named):
    sent = cloudpickle.dumps((parts, named))
    settings = Settings.read()
    for secret in (settings.database_url, *(key for app in settings.apps for key in (app.access_key, app.secret_key))):
        assert secret.encode() not in sent
    return submit(self, *parts, **named)
distributed.Client.submit = watched
first, last, flows = sys.argv[1:]
backfill = load_flow_from_entrypoint(f"{flows}/backfill.py:backfill")  # as a deployment does
said = backfill(from_date=first, to_date=last, ledger="both.csv", return_state=True)
assert said.message == "2 months, 2 of them reconciled now, 0 before", said
on_demand = load_flow_from_entrypoint(f"{flows}/reconcile_period.py:reconcile_period")
assert on_demand(from_date=first, to_date=last, return_state=True).is_completed()
cluster.close()
"""
GUARD = """
import os, signal, subprocess, sys, threading
def end_with_the_tests():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_the_tests, daemon=True).start()
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))
"""


@dataclass(frozen=True)
class Prefect:
    """A server, and a project folder from which a worker runs its deployments."""

    api: str
    project: Command
    days: tuple[str, str]
    messages: list[dict[str, Any]]
    """What people were told by RECONCILE_NOTIFY."""

    def ask(self, method: str, path: str, **body: Any) -> Any:
        def answers() -> list[requests.Response]:
            # Its SQLite is now and then busy with another request; Prefect's own client asks again, too.
            try:
                answer = requests.request(method, self.api + path, json=body or None, timeout=30)
            except requests.ReadTimeout:
                return []
            return [answer] if answer.status_code != 503 else []

        [answer] = until(answers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def runs(self, deployment: str | None, **state: list[str]) -> list[dict[str, Any]]:
        """The flow runs of a deployment, or those that belong to none; the newest start first."""
        chosen: dict[str, Any] = {"flow_runs": {"state": {"type": state}}} if state else {}
        if deployment is not None:
            chosen["deployments"] = {"name": {"any_": [deployment]}}
        found: list[dict[str, Any]] = self.ask(
            "POST", "/flow_runs/filter", sort="EXPECTED_START_TIME_DESC", **chosen
        )
        return [run for run in found if deployment or run["deployment_id"] is None]

    def tasks(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The task runs of a flow run, by name."""
        found = self.ask("POST", "/task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
        return {task["name"]: task for task in found}

    def ended_tasks(self, run: Mapping[str, Any], *names: str) -> dict[str, dict[str, Any]]:
        """The same, once the server has heard of the end of these, which lags a little behind the run's."""

        def ended() -> dict[str, dict[str, Any]]:
            found = self.tasks(run)
            over = all(name in found and found[name]["state"]["type"] in ENDED for name in names)
            return found if over else {}

        return until(ended)

    def start(
        self,
        name: str = "reconcile-period/on-demand",
        job_variables: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """What Prefect's page does when a person runs a deployment."""
        deployment = self.ask("GET", f"/deployments/name/{name}")
        path = f"/deployments/{deployment['id']}/create_flow_run"
        asked = {"parameters": parameters, "job_variables": job_variables or {}}
        started: dict[str, Any] = self.ask("POST", path, state={"type": "SCHEDULED"}, **asked)
        return started

    def ended(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """The run, at its end."""

        def ended() -> dict[str, Any]:
            now: dict[str, Any] = self.ask("GET", f"/flow_runs/{run['id']}")
            return now if now["state"]["type"] in ENDED else {}

        return until(ended)

    def by_hand(self, **parameters: Any) -> dict[str, Any]:
        """The same, of `on-demand`; waits for the end."""
        return self.ended(self.start(**parameters))

    def pause_every_minute(self) -> None:
        deployment = self.ask("GET", "/deployments/name/reconcile-period/every-minute")
        self.ask("PATCH", f"/deployments/{deployment['id']}", paused=True)

    def artifacts(self, run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The artifacts of a run that have a key, by it; and the bars of its stages, by stage."""
        found = self.ask("POST", "/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
        return {one["key"] or one["description"]: one for one in found}

    def events(self) -> list[dict[str, Any]]:
        """Our own events, the newest first."""
        names = {"prefix": ["reconcile."]}
        found: list[dict[str, Any]] = self.ask("POST", "/events/filter", filter={"event": names})["events"]
        return found

    def logs(self, run: Mapping[str, Any]) -> list[str]:
        found = self.ask("POST", "/logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
        return [log["message"] for log in found]


def until(look: Callable[[], T], seconds: float = 120) -> T:
    """What `look` finds at last."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"waited in vain for {look.__qualname__}"
        threading.Event().wait(2)  # each look costs the server some hundredths of a second
    return found


@contextmanager
def background(
    words: list[str | Path], command: Command, log: str, **changes: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works until the block ends, then is killed with all the processes of its group.

    So it is when the tests themselves are killed: a server left behind would begin a run every minute.
    """
    with (command.user_home / log).open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", GUARD, *words],
            cwd=command.folder,
            env=command.environment(**changes),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def script(command: Command, content: str, *arguments: str) -> Running:
    """Run a program of Python as the command would be run; leaving the block kills it if it has not ended."""
    path = command.folder / "script.py"
    path.write_text(content, "utf-8")
    return Running([str(path), *arguments], command.folder, command.environment(), warm=True)


@contextmanager
def cable(address: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """The same address through a cable, and what cuts it."""
    to = urlsplit(address)
    ends: list[socket.socket] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near = listening.accept()[0]
                far = socket.create_connection((to.hostname, to.port or 80))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=pair, daemon=True).start()

    def cut() -> None:
        for end in (listening, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield to._replace(netloc=f"127.0.0.1:{listening.getsockname()[1]}").geturl(), cut
    finally:
        cut()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def prefect(command: Command, *arguments: str, **changes: str) -> None:
    done = subprocess.run(
        [BIN / "prefect", "--no-prompt", *arguments],
        cwd=command.folder,
        env=command.environment(**changes),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def world(make_command: MakeCommand, calm_shop: Shop) -> Iterator[Prefect]:
    """A server, a pool and two workers; deployed is prefect.yaml as it is, and the flow once more for every minute."""
    merchant, sandbox = calm_shop
    days = (str(merchant.first_day), str(merchant.last_day))
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    project = make_command(sandbox, made=True, PREFECT_API_URL=api, **QUIET)
    project.settings["PREFECT_HOME"] = str(project.folder / "prefect")
    project.settings["RECONCILE_INBOX"] = "inbox"
    (project.folder / "inbox").mkdir()
    (project.folder / "reconcile.toml").write_text("[ledger.tally]\ncurrency = 'INR'\n", "utf-8")
    merchant.write_ledger(project.folder / "ledger.csv")
    shutil.copytree(ROOT / "flows", project.folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    minutely = EVERY_MINUTE.replace("FIRST", days[0]).replace("LAST", days[1])
    (project.folder / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text("utf-8") + minutely)
    with ExitStack() as stack:
        hook, messages = stack.enter_context(web_hook())
        project.settings["RECONCILE_NOTIFY"] = hook
        found = Prefect(api, project, days, messages)
        server: list[str | Path] = [BIN / "prefect", "server", "start", "--port", str(port)]
        few = {
            "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "0:02:00"
        }  # not each minute of an hour
        stack.enter_context(background(server, project, "server.log", PREFECT_UI_ENABLED="false", **few))

        def healthy() -> bool:
            try:
                return bool(requests.get(f"{api}/health", timeout=5).ok)
            except requests.ConnectionError:
                return False

        until(healthy)
        template = ProcessWorker.get_default_base_job_template()
        found.ask("POST", "/work_pools/", name="reconcile", type="process", base_job_template=template)
        prefect(project, "deploy", "--all", RECONCILE_TIMEZONE=ZONE)
        worker: list[str | Path] = [BIN / "prefect", "worker", "start", "--pool", "reconcile", "--limit", "1"]
        for log in ("worker.log", "worker2.log"):
            stack.enter_context(background(worker, project, log, PREFECT_WORKER_QUERY_SECONDS="4"))
        yield found


def flow_command(world: Prefect, make_command: MakeCommand, shop: Shop, **settings: str) -> Command:
    """A command that runs as a flow run, with a database and homes of its own and the shop's ledger."""
    merchant, sandbox = shop
    command = make_command(sandbox, PREFECT_API_URL=world.api, **QUIET, **settings)
    command.settings["PREFECT_HOME"] = str(command.folder / "prefect")
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


def run_words(world: Prefect) -> tuple[str, ...]:
    return ("run", "--from", world.days[0], "--to", world.days[1], "--ledger", "ledger.csv")


def test_cron_makes_runs_that_the_worker_executes(world: Prefect) -> None:
    """And all that the page shows of one."""
    begun = until(lambda: world.runs("every-minute", any_=["PENDING", "RUNNING", *ENDED]), 150)[-1]
    world.pause_every_minute()  # one is enough
    run = world.ended(begun)
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"]
    assert run["name"] == " to ".join(world.days)
    assert (run["auto_scheduled"], "auto-scheduled" in run["tags"]) == (True, True)
    assert datetime.fromisoformat(run["expected_start_time"]).second == 0
    tasks = world.ended_tasks(run, "inbox", "ledger", "fetch", "match", "report")
    assert {name: task["state"]["type"] for name, task in tasks.items()} == dict.fromkeys(
        ("inbox", "ledger", "fetch", "match", "report"), "COMPLETED"
    )
    report = world.project.latest("minutes")
    assert all(report.rows(name) for name in CSVS)
    check_artifacts(world, run, report)
    # A limit of RECONCILE_NOTIFY_WHEN (high>0) is not passed: only pending payments are stale.
    assert run["state"]["name"] == "Completed"
    told = until(lambda: [one for one in world.events() if one["payload"]["run_id"] == report.run_id])
    assert {one["event"] for one in told} <= {"reconcile.finished", "reconcile.discrepancies"}
    roles = {one["prefect.resource.role"]: one.get("prefect.resource.name") for one in told[0]["related"]}
    assert roles["deployment"] == "every-minute"
    # What a run brought stands in the database and the files, and nothing of it in Prefect's storage.
    assert not [path for path in (world.project.folder / "prefect" / "storage").rglob("*") if path.is_file()]


def check_artifacts(world: Prefect, run: Mapping[str, Any], report: Report) -> None:
    by_key = world.artifacts(run)
    assert {key: one["type"] for key, one in by_key.items()} == {
        "reconciliation": "markdown",
        "largest-open-items": "table",
        "data-docs": "markdown",  # a link is one
        **dict.fromkeys(("inbox", "ledger", "fetch", "match", "report"), "progress"),
    }
    assert {one["data"] for one in by_key.values() if one["type"] == "progress"} == {100.0}
    assert "/data-docs/index.html" in by_key["data-docs"]["data"]
    for suite in ("transactions", "entries", "results by run"):
        assert list((report.folder / "data-docs" / "validations" / suite).rglob("*.html")), suite
    shown = by_key["reconciliation"]["data"]
    assert report.run_id in shown
    document = report.document()
    assert document["discrepancies"]
    for name, count in document["discrepancies"].items():
        assert f"| {escaped(name)} | {count} |" in shown
    for total in document["totals"]:
        assert f"{total['amount']} ({total['count']})" in shown
    for one in document["open"]:
        assert f"| {one['severity']} | {one['currency']} | {one['count']} | " in shown
    assert escaped(str(report.folder)) in shown
    items = json.loads(by_key["largest-open-items"]["data"])
    known = {row["discrepancy_id"] for row in report.rows("discrepancies") if row["severity"] != "info"}
    assert {item["discrepancy"] for item in items} == known


def test_the_command_appears_as_a_flow_run(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop
) -> None:
    command = flow_command(world, make_command, calm_shop)
    command.good(*run_words(world), "--out", "plain", **NO_PREFECT)
    outcome = command.good(*run_words(world), "--out", "flow", "--json")
    report = command.latest("flow")
    assert outcome.out == (report.folder / "run.json").read_text("utf-8")
    stages = ("ledger", "fetch", "match", "report")
    assert [line for line in outcome.err.splitlines() if line.split(": ")[0] not in stages] == []
    assert report.same() == command.latest("plain").same()
    run = world.runs(None)[0]
    assert (run["name"], run["state"]["type"]) == (" to ".join(world.days), "COMPLETED")
    assert run["parameters"]["from_date"] == world.days[0]
    assert str(report.folder) in run["state"]["message"]
    # A server that goes away in the middle and stays away changes nothing but the page.
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, cable(world.api) as (address, cut):
        away = {
            "PREFECT_API_URL": address,
            "PREFECT_CLIENT_MAX_RETRIES": "1",  # its SQLite may be busy
            "KSPAY_BASE_URL": held.base_url,
        }
        with command.start(*run_words(world), "--out", "away", **away) as running:
            until(lambda: hold.held.is_set() or running.process.poll() is not None)
            cut()
            hold.go.set()
            outcome = running.ended()
    assert outcome.code == 0, outcome
    assert "prefect: its page does not show the end of this run" in outcome.err
    assert "Traceback" not in outcome.err
    assert command.latest("away").same() == command.latest("plain").same()


def test_a_command_that_fails_is_a_failed_flow_run(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    command = flow_command(
        world, make_command, calm_shop, KSPAY_BASE_URL=nowhere, RECONCILE_GIVE_UP_SECONDS="0"
    )
    outcome = command(*run_words(world), "--json")
    assert (outcome.code, outcome.out) == (4, "")
    assert "POST /auth/generate-token" in outcome.complaint
    run = world.runs(None)[0]
    assert run["state"]["type"] == "FAILED"
    assert f"reconcile: {run['state']['message']}" == outcome.complaint
    tasks = world.ended_tasks(run, "ledger", "fetch")
    # The command gives up when it says it does; it is the deployed flow that comes back later.
    assert (tasks["fetch"]["state"]["type"], tasks["fetch"]["run_count"]) == ("FAILED", 1)
    assert "match" not in tasks


def test_a_server_that_is_not_there(world: Prefect, make_command: MakeCommand, calm_shop: Shop) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    command = flow_command(world, make_command, calm_shop)
    outcome = command(*run_words(world), PREFECT_API_URL=nowhere)
    assert outcome.code == 2
    assert "PREFECT_API_URL" in outcome.complaint
    assert nowhere in outcome.complaint
    assert not (command.folder / "reports").exists()


def test_doctor_says_that_the_server_works_on_sqlite(world: Prefect) -> None:
    with temporary_settings({PREFECT_API_URL: world.api}):
        found = doctor._prefect(world.api)
    assert (found.warns, found.exit_code) == (True, 0)
    assert f"on SQLite ({world.project.folder}/prefect/prefect.db), which answers 503" in found.says
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        gone = doctor._prefect(world.api)
    assert (gone.warns, gone.exit_code) == (True, 0)
    assert gone.says.startswith(
        "the server of PREFECT_API_URL does not say its settings (ConnectError): start it"
    )


def test_only_what_time_may_cure_is_fetched_again(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop
) -> None:
    port = free_port()
    command = flow_command(world, make_command, calm_shop, RECONCILE_GIVE_UP_SECONDS="0")
    with script(command, TRIES, *world.days, f"http://127.0.0.1:{port}/v1"):

        def waiting() -> dict[str, Any]:
            if not (found := world.runs(None)):
                return {}
            run = found[0]
            fetch = world.tasks(run).get("fetch")
            late = run["parameters"].get("out") == "late"
            return run if late and fetch and fetch["state"]["name"] == "AwaitingRetry" else {}

        run = until(waiting)
        with serve(calm_shop[0], port=port):
            until(lambda: world.ask("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "COMPLETED")
    assert world.ended_tasks(run, "fetch")["fetch"]["run_count"] > 1
    assert command.latest("late").document()["fetched"][0]["records"]
    refused = next(run for run in world.runs(None) if run["parameters"].get("out") == "refused")
    assert world.tasks(refused)["fetch"]["run_count"] == 1
    assert "KSPAY_SECRET_KEY" in refused["state"]["message"]


def test_a_database_that_goes_away_costs_no_night(
    world: Prefect, make_command: MakeCommand, make_database: Callable[[], str], calm_shop: Shop
) -> None:
    url = make_database()
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held:
        command = flow_command(world, make_command, calm_shop, RECONCILE_DATABASE_URL=url)
        command.settings["KSPAY_BASE_URL"] = held.base_url
        with script(command, AGAIN, *world.days):
            assert hold.held.wait(120)
            run = world.runs(None)[0]
            admin = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            with admin.connect() as connection:
                connection.exec_driver_sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
            hold.go.set()
            until(lambda: world.ask("GET", f"/flow_runs/{run['id']}")["state"]["type"] in ENDED)
    assert world.ask("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "COMPLETED"
    until(lambda: any("begins again" in line for line in world.logs(run)))
    said = world.logs(run)
    assert [line for line in said if "the database went away (" in line]
    assert not [line for line in said if "Traceback" in line or "[SQL" in line]
    plain = make_command(calm_shop[1])
    calm_shop[0].write_ledger(plain.folder / "ledger.csv")
    plain.good(*run_words(world))
    assert command.latest().same() == plain.latest().same()


def test_a_run_cancelled_on_the_page_was_stopped(world: Prefect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = world.start(
            job_variables={"env": {"KSPAY_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}},
            from_date=world.days[0],
            to_date=world.days[1],
            ledger="ledger.csv",
        )
        until(lambda: "fetch" in world.tasks(run))
        world.ask("POST", f"/flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"})
        assert world.ended(run)["state"]["type"] == "CANCELLED"
    said = world.project.good("runs", **NO_PREFECT).out
    assert "stopped before it was done" in said
    assert "fault of ours" not in said


def process_of(run: Mapping[str, Any]) -> int:
    """The process of a run that a worker began."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"FLOW_RUN_ID={run['id']}".encode() in (process / "environ").read_bytes():
                return int(process.name)
    raise AssertionError("no process of this run is there")


def test_a_run_whose_process_or_worker_is_killed(world: Prefect, calm_shop: Shop) -> None:
    """The page says so, the next run works as if nothing had happened, and ours says how the killed ones ended."""
    days: dict[str, Any] = {"from_date": world.days[0], "to_date": world.days[1], "ledger": "ledger.csv"}
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held:
        through = {"env": {"KSPAY_BASE_URL": held.base_url}}
        for of_worker in (False, True):
            run = world.start(job_variables=through, **days)
            until(hold.held.is_set)
            flow = process = process_of(run)
            if of_worker:
                status = (Path("/proc") / str(flow) / "status").read_text("utf-8")
                process = int(status.partition("PPid:")[2].split()[0])
                assert b"worker" in (Path("/proc") / str(process) / "cmdline").read_bytes()
            os.kill(process, signal.SIGKILL)
            hold.go.set()
            # Without its worker a run ends at its next line of the log, which nobody takes any more.
            assert world.ended(run)["state"]["type"] == "CRASHED"
            with suppress(ProcessLookupError):
                os.kill(flow, signal.SIGKILL)  # without its worker it would outlive the tests for minutes
            hold.held.clear()
            hold.go.clear()
    world.project.good(*run_words(world), "--out", "after", "--wait", **NO_PREFECT)
    assert world.project.latest("after").rows("matched")
    said = world.project.good("runs", **NO_PREFECT).out
    assert "ended without a message" in said
    assert "fault of ours" not in said


def test_a_server_that_is_away_past_the_end_of_a_deployed_run(world: Prefect, calm_shop: Shop) -> None:
    """The page says how it ended, its report stands, and the next run gives the same bytes."""
    days: dict[str, Any] = {"from_date": world.days[0], "to_date": world.days[1], "ledger": "ledger.csv"}
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, cable(world.api) as (address, cut):
        env = {"KSPAY_BASE_URL": held.base_url, "PREFECT_API_URL": address, "PREFECT_CLIENT_MAX_RETRIES": "1"}
        run = world.start(job_variables={"env": env}, out="away", **days)
        until(hold.held.is_set)
        cut()
        hold.go.set()
        assert world.ended(run)["state"]["type"] == "CRASHED"
    away = world.project.latest("away")
    assert away.run_id in world.project.good("runs", **NO_PREFECT).out
    assert world.by_hand(out="back", **days)["state"]["type"] == "COMPLETED"
    assert away.same() == world.project.latest("back").same()


def test_nights_that_were_missed_are_made_up_for_by_one(world: Prefect) -> None:
    """Three, for two workers: one comes behind the first, the other waits for its end."""
    now = datetime.now(UTC)
    deployment = world.ask("GET", "/deployments/name/reconcile-period/nightly")
    due = {"start_time": str(now - timedelta(days=3)), "end_time": str(now)}
    world.ask("POST", f"/deployments/{deployment['id']}/schedule", max_runs=3, **due)

    def over() -> list[dict[str, Any]]:
        found = world.runs("nightly", any_=ENDED)
        return found if len(found) == 3 else []

    nights = until(over)
    [made_up] = [night for night in nights if night["state"]["name"] != "Skipped"]
    assert made_up["state"]["type"] == "COMPLETED", made_up["state"]["message"]
    run_id = world.project.latest().run_id
    assert run_id in made_up["state"]["message"]
    skipped = {night["state"]["message"] for night in nights if night is not made_up}
    assert skipped == {f"run {run_id} began after this night was due, and is as of the same day"}
    skips = until(lambda: [one for one in world.events() if one["event"] == "reconcile.skipped"])
    assert {one["payload"]["run_id"] for one in skips} == {run_id}


def test_a_wrong_period_fails_in_our_words(world: Prefect) -> None:
    first, last = world.days
    run = world.by_hand(from_date=last, to_date=first)
    assert world.messages[-1]["title"] == "Reconciliation failed"
    message = f"from_date {last} is after to_date {first}"
    assert (run["state"]["type"], run["state"]["message"]) == ("FAILED", message)
    until(lambda: message in world.logs(run))
    assert not [line for line in world.logs(run) if "Traceback" in line]


def test_the_form_explains_itself(world: Prefect) -> None:
    deployment = world.ask("GET", "/deployments/name/reconcile-period/on-demand")
    schema = deployment["parameter_openapi_schema"]
    fields = schema["properties"]
    assert [*fields][:7] == ["from_date", "to_date", "ledger", "profile", "apps", "snapshot", "allow"]
    assert all(field["description"] and field["title"] for field in fields.values())
    assert fields["profile"]["enum"] == ["", "tally"]
    assert fields["apps"]["items"]["enum"] == [world.project.settings["KSPAY_APP_ID"]]
    assert "mostly_usable" in fields["allow"]["items"]["enum"]
    assert fields["from_date"]["examples"] == ["2026-08-01"]
    assert (deployment["schedules"], deployment["parameters"]["wait"]) == ([], True)
    assert deployment["version"] == version("kspay-reconcile")

    # What the page asks before it submits.
    def wrong(**values: Any) -> list[str]:
        answer = world.ask("POST", "/ui/schemas/validate", schema=schema, values=values)
        return [error["property"] for error in answer["errors"]]

    assert wrong(from_date="2026-02-01", to_date="2026-02-02", profile="tally", allow=["mostly_usable"]) == []
    assert wrong(from_date="1.2.2026", profile="tolly", apps=["ap_other"], allow=["all"]) == [
        "from_date",
        "profile",
        "apps",
        "allow",
    ]


def test_every_deployment(world: Prefect) -> None:
    """Each of them, begun over the API and done by two workers: reports, artifacts, events and messages."""
    first, last = world.days[0], f"{world.days[1][:7]}-30"
    world.pause_every_minute()  # such a run would take the inbox in, too
    by_hand = world.by_hand(from_date=first, to_date=last, ledger="ledger.csv", out="before")
    assert (by_hand["state"]["type"], by_hand["name"]) == ("COMPLETED", f"{first} to {last}"), by_hand
    inbox = world.project.folder / "inbox"
    decided = world.project.latest("before").rows("discrepancies")[0]
    (inbox / PERSON).mkdir()
    (inbox / PERSON / "decided.csv").write_text(
        f"discrepancy_id,facts,resolution,note\n{decided['discrepancy_id']},{decided['facts']},accept,\n"
    )
    os.utime(inbox / PERSON / "decided.csv", (0, 0))  # nobody writes it any more
    asked: dict[str, dict[str, Any]] = {
        "decisions/decisions": {},
        "backfill/backfill": {"from_date": f"{first[:7]}-01", "to_date": last, "out": "history"},
        "month-close/month-close": {"month": first[:7], "by": "Asha"},
        "validate/validate": {},
    }
    started = {name: world.start(name, **parameters) for name, parameters in asked.items()}
    ended = {name: world.ended(run) for name, run in started.items()}
    # The night takes the inbox in, too, so it comes behind the decisions.
    when = {"env": {"RECONCILE_NOTIFY_WHEN": "failed,medium>0"}}
    nightly = world.ended(world.start("reconcile-period/nightly", when))
    said = {name: run["state"]["message"] for name, run in ended.items()}
    assert {run["state"]["type"] for run in ended.values()} == {"COMPLETED"}, said
    assert "are as the run left them" in world.project.good("show", "latest", "--verify", **NO_PREFECT).out
    assert said["decisions/decisions"] == "1 decisions of 1 files, 0 ledgers, 0 files refused"
    assert said["backfill/backfill"] == "1 months, 0 of them reconciled now, 1 before"
    closed = world.project.folder / "reports" / "closed" / f"{first[:7]}-v1"
    assert json.loads((closed / "close.json").read_text("utf-8"))["closed_by"] == "Asha"
    assert (
        "version 1, closed by Asha"
        in world.artifacts(ended["month-close/month-close"])["close-statement"]["data"]
    )
    assert "transactions" in world.artifacts(ended["validate/validate"])["validation"]["data"]
    night = world.project.latest()
    assert nightly["state"]["name"] == "Over limit", nightly["state"]["message"]
    assert night.run_id in nightly["state"]["message"]
    assert night.run_id in world.artifacts(nightly)["reconciliation"]["data"]
    until(lambda: night.run_id in {one["payload"].get("run_id") for one in world.events()})
    [message] = [one for one in world.messages if str(night.folder) in one["message"]]
    assert message["title"].startswith("Reconciliation ")


def test_a_history_month_by_month(world: Prefect, make_command: MakeCommand, calm_shop: Shop) -> None:
    """Two months, of which a run covers the first already; and a run that takes too long."""
    command = flow_command(world, make_command, calm_shop)
    month = ("--from", "2026-04-01", "--to", "2026-04-30")
    command.good("run", *month, "--ledger", "ledger.csv", **NO_PREFECT)
    with script(command, HISTORY) as running:
        outcome = running.ended()
    assert outcome.code == 0, outcome
    first = next(run for run in reversed(world.runs(None)) if run["name"].startswith("backfill"))
    assert json.loads(world.artifacts(first)["backfill"]["data"]) == [
        {"month": "2026-04-01 to 2026-04-30", "run": "covered before", "open": "", "failed": ""},
        {"month": "2026-05-01 to 2026-05-03", "run": "2026-05-01_2026-05-03_1", "open": "9", "failed": ""},
    ]
    world.ended_tasks(first, "2026-05-01 to 2026-05-03", "fetch", "match", "report")


def test_workers_of_dask_give_the_same_bytes(world: Prefect, make_command: MakeCommand) -> None:
    """Two workers fetch two apps, and the second month while the first is reported: as the command, month by month."""
    world.pause_every_minute()  # the machine has enough to do
    shops = [Merchant.made_up(seed, date(2026, 4, 24), 12) for seed in (21, 22)]
    months = (("2026-04-24", "2026-04-30"), ("2026-05-01", "2026-05-05"))
    with serve(shops[0]) as one, serve(shops[1]) as two:
        alone, command = make_command(), make_command(PREFECT_API_URL=world.api, **QUIET)
        for each in (alone, command):
            write_apps(each, shops, (one, two))
        for number, (first, last) in enumerate(months):
            ledger = () if number else ("--ledger", "both.csv")  # as the backfill, which imports it once
            alone.good("run", "--from", first, "--to", last, *ledger)
        whole = (months[0][0], months[1][1])
        alone.good("run", "--from", whole[0], "--to", whole[1])
        command.settings["PREFECT_HOME"] = str(command.folder / "prefect")
        done = subprocess.run(
            [sys.executable, "-c", FANNED_OUT, *whole, ROOT / "flows"],
            cwd=command.folder,
            env=command.environment(),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    for first, last in (*months, whole):
        folder = Path("reports") / f"{first}_{last}_1"
        theirs, ours = (Report(each.folder / folder) for each in (command, alone))
        assert theirs.same() == ours.same()
        told = [report.document() for report in (theirs, ours)]
        assert told[0]["validation"] == told[1]["validation"]
        # Pages are asked for ahead, some in vain.
        for fetched in (app for document in told for app in document["fetched"]):
            del fetched["pages"]
        assert told[0]["fetched"] == told[1]["fetched"]
    run = next(run for run in world.runs(None) if run["name"] == f"backfill from {months[0][0]}")
    tasks = world.ask("POST", "/task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
    fetches = {task["name"] for task in tasks if task["name"].startswith("fetch ap_")}
    assert fetches == {f"fetch {shop.app_id} {' to '.join(month)}" for shop in shops for month in months}
    page = json.dumps([run, tasks, world.logs(run), done.stdout, done.stderr])
    for key in (one.access_key, one.secret_key, two.secret_key, command.settings["RECONCILE_DATABASE_URL"]):
        assert key not in page


def test_automations_are_created_as_they_are(world: Prefect) -> None:
    prefect(world.project, "automation", "create", "--from-file", str(ROOT / "automations.yaml"))
    found = {one["name"]: one for one in world.ask("POST", "/automations/filter")}
    assert len(found) == 5
    gone = found["reconcile heartbeat is gone"]
    beat = re.search(r'HEARTBEAT_FREQUENCY: "(\d+)"', (ROOT / "prefect.yaml").read_text("utf-8"))
    assert beat
    assert 3 * int(beat[1]) < gone["trigger"]["within"] == 100
    assert gone["actions"][0]["state"] == "CRASHED"


def test_nights_end_in_the_business_time_zone(world: Prefect) -> None:
    nights = until(lambda: world.runs("nightly", any_=["SCHEDULED"]))
    starts = [datetime.fromisoformat(run["expected_start_time"]).astimezone(ZoneInfo(ZONE)) for run in nights]
    assert {f"{start:%H:%M}" for start in starts} == {"06:30"}
    assert nights[0]["parameters"] == {"wait": True, "time_limit_hours": 8}
    [schedule] = world.ask("GET", "/deployments/name/reconcile-period/nightly")["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 6 * * *", ZONE)


def test_a_state_tells_what_is_over_a_limit(tmp_path: Path) -> None:
    """As RECONCILE_NOTIFY_WHEN has them; `strict` fails what is open above info."""
    report = {"run_id": "r", "discrepancies": {"STATUS_MISMATCH": 2}, "new": 0, "cleared": 0}
    report |= {"open": [{"severity": "high", "currency": "INR", "count": 2, "amount": "5.00"}]}
    finished, easy = Finished("r", tmp_path, report, 2), Finished("r", tmp_path, report | {"open": []}, 0)
    states = [
        ended(finished, Settings()),
        ended(finished, Settings(occasions=())),
        ended(easy, Settings(), strict=True),
        ended(finished, Settings(), strict=True),
    ]
    assert [(state.type.value, state.name) for state in states] == [
        ("COMPLETED", "Over limit"),
        ("COMPLETED", "Completed"),
        ("COMPLETED", "Completed"),
        ("FAILED", "Failed"),
    ]
    assert str(states[0].message).startswith("high>0: run r: 2 discrepancies")


def test_text_of_the_data_stays_text() -> None:
    assert escaped("a|b <script> [x](y) `#1`\n2") == r"a\|b \<script\> \[x\]\(y\) \`\#1\` 2"
    assert escaped("plain é 12") == "plain é 12"
