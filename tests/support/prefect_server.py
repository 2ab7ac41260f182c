"""A real Prefect server, and what a test asks it: for the tests of the flows."""

import fcntl
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from tests.support.catchers import web_hook
from tests.support.driver import Command, MakeCommand, Report, Running, Shop
from tests.support.guarded import guarded
from tests.support.warm import ADDRESS, interpreter

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
NO_PREFECT = dict.fromkeys(("PREFECT_API_URL", "PREFECT_HOME", *QUIET))


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
        """The task runs of a flow run that have a state already, by name."""
        found = self.ask("POST", "/task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
        return {task["name"]: task for task in found if task["state"]}

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
        """The artifacts of a run that have a key, by it; and the bars of its stages, as `fetch bar`."""
        found = self.ask("POST", "/artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
        return {one["key"] or f"{one['description']} bar": one for one in found}

    def events(self) -> list[dict[str, Any]]:
        """Our own events, the newest first."""
        names = {"prefix": ["reconcile."]}
        found: list[dict[str, Any]] = self.ask("POST", "/events/filter", filter={"event": names})["events"]
        return found

    def told_of(self, run_id: str, *names: str) -> list[dict[str, Any]]:
        """Our events of this run of ours, sorted by name: these, once each, and no other."""

        def told() -> list[dict[str, Any]]:
            found = [one for one in self.events() if one["payload"]["run_id"] == run_id]
            return found if len(found) >= len(names) else []

        found = sorted(until(told), key=lambda one: str(one["event"]))
        assert tuple(one["event"] for one in found) == names
        return found

    def logs(self, run: Mapping[str, Any]) -> list[str]:
        found = self.ask("POST", "/logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
        return [log["message"] for log in found]


def until(look: Callable[[], T], seconds: float = 120) -> T:
    """What `look` finds at last."""
    begun = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"waited in vain for {look.__qualname__}"
        # Each look costs the server some hundredths of a second: seldom, where it takes long.
        threading.Event().wait(min(2, max(0.5, waited / 2)))
    return found


@contextmanager
def background(
    words: list[str | Path], command: Command, log: str, **changes: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works until the block ends, then is killed with all the processes of its group.

    So it is when the tests themselves are killed: a server left behind would begin a run every minute.
    """
    path = command.user_home / log
    with guarded(words, command.folder, path, command.environment(**changes)) as process:
        yield process


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


def prefect(command: Command, *arguments: str) -> None:
    """Run Prefect's own command where ours works. It ends well."""
    words = [str(BIN / "prefect"), "--no-prompt", *arguments]
    with Running(words, command.folder, command.environment(), warm=True) as running:
        outcome = running.ended()
    assert outcome.code == 0, outcome


def copy_flows(project: Command) -> None:
    shutil.copytree(ROOT / "flows", project.folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))


def deploy(project: Command, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run our command for it in the project folder; it and Prefect's own are forked."""
    words = [str(interpreter(project.user_home)), "-m", "flows.deploy"]
    environment = project.environment(**changes)
    return subprocess.run(
        words, cwd=project.folder, env=environment, check=False, capture_output=True, text=True
    )


def flow_command(world: Prefect, make_command: MakeCommand, shop: Shop, **settings: str) -> Command:
    """A command that runs as a flow run, with a database and homes of its own and the shop's ledger."""
    merchant, sandbox = shop
    command = make_command(sandbox, PREFECT_API_URL=world.api, **QUIET, **settings)
    command.settings["PREFECT_HOME"] = str(command.folder / "prefect")
    merchant.write_ledger(command.folder / "ledger.csv")
    return command


def results_of(report: Report) -> list[str]:
    """What the stages of a run with one ledger say of what they gave."""
    run = report.document()
    ledger, [app] = run["imported"], run["fetched"]
    matches, found = (sum(run[name].values()) for name in ("matched", "discrepancies"))
    open_items = sum(row["count"] for row in run["open"] if row["severity"] != "info")
    return [
        f"ledger: ledger.csv: {ledger['records']} rows, {ledger['added']} new, {ledger['changed']} changed, "
        f"{ledger['quarantined']} quarantined",
        f"fetch: {app['app_id']}: {app['records'] - app['repeats']} transactions, {app['added']} new, "
        f"{app['changed']} changed, {app['quarantined']} quarantined",
        f"match: {matches} matches, {found} discrepancies, {run['new']} new, {run['cleared']} cleared",
        f"report: {len(run['files'])} files, {open_items} open above info",
    ]


def run_words(world: Prefect) -> tuple[str, ...]:
    return ("run", "--from", world.days[0], "--to", world.days[1], "--ledger", "ledger.csv")


@contextmanager
def serving(make_command: MakeCommand, shop: Shop) -> Iterator[Prefect]:
    """A server, and a project folder with the shop's ledger; nothing is deployed from it yet."""
    merchant, sandbox = shop
    days = (str(merchant.first_day), str(merchant.last_day))
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    project = make_command(sandbox, made=True, PREFECT_API_URL=api, **QUIET)
    project.settings["PREFECT_HOME"] = str(project.folder / "prefect")
    project.settings["RECONCILE_INBOX"] = "inbox"
    (project.folder / "inbox").mkdir()
    merchant.write_ledger(project.folder / "ledger.csv")
    database = project.folder / "prefect" / "prefect.db"
    database.parent.mkdir()
    server: list[str | Path] = [BIN / "prefect", "server", "start", "--port", str(port)]
    scheduler = "PREFECT_SERVER_SERVICES_SCHEDULER_"
    # When something is deployed, the next run of its schedule; and seldom another: not every minute of an hour.
    few = {f"{scheduler}MIN_SCHEDULED_TIME": "0:00:00", f"{scheduler}MIN_RUNS": "1"}
    few |= {f"{scheduler}LOOP_SECONDS": "100"}

    def healthy() -> bool:
        try:
            return bool(requests.get(f"{api}/health", timeout=5).ok)
        except requests.ConnectionError:
            return False

    with web_hook() as (hook, messages), ExitStack() as stack:
        with migrated_once(database):
            stack.enter_context(background(server, project, "server.log", PREFECT_UI_ENABLED="false", **few))
            until(healthy)
        project.settings["RECONCILE_NOTIFY"] = hook
        yield Prefect(api, project, days, messages)


@contextmanager
def migrated_once(database: Path) -> Iterator[None]:
    """Only the first server of all processes of the tests makes its tables, in the block; the others get a copy.

    All the migrations of Prefect take 4 s of processor time.
    """
    made = Path(os.environ[ADDRESS]).with_name(
        "prefect.db"
    )  # what lies there is removed at the end of the tests
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if made.exists():
            shutil.copy(made, database)
        yield
        if not made.exists():
            with closing(sqlite3.connect(database)) as its, closing(sqlite3.connect(made)) as copy:
                its.backup(copy)
