"""The flows on a real Prefect server, begun in a process of their own: by the command, by a script, by Dask."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from reconcile import doctor
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.conftest import copy_home
from tests.scenarios.test_pipeline_together import write_apps
from tests.support.driver import Command, MakeCommand, Report, Running, Shop
from tests.support.gate import Hold, gate
from tests.support.own_postgres import listening
from tests.support.prefect_server import (
    ENDED,
    NO_PREFECT,
    QUIET,
    Prefect,
    cable,
    copy_flows,
    deploy,
    flow_command,
    free_port,
    results_of,
    run_words,
    serving,
    until,
)

ROOT = Path(__file__).parents[2]
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
HISTORY_AWAY = """
from flows import backfill as module, shared
shared.DATABASE_RETRY_SECONDS = ()
state = module.backfill(from_date="2026-03-01", to_date="2026-03-31", return_state=True)
assert state.is_failed() and "does not answer" in state.message, state
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
PARTLY = """
import sys
from flows import reconcile_period as module
module.FETCH_RETRY_SECONDS = ()
module.reconcile_period(from_date=sys.argv[1], to_date=sys.argv[2], ledger="both.csv", return_state=True)
"""
FANNED_OUT = """
import multiprocessing, os, signal, sys, threading, time
from pathlib import Path
import cloudpickle, dask, distributed
from distributed.utils import get_mp_context
from prefect.flows import load_flow_from_entrypoint
from reconcile.settings import Settings
def main():
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
        keys = [key for app in settings.apps for key in (app.access_key, app.secret_key)]
        for secret in (settings.database_url, *keys):
            assert secret.encode() not in sent
        return submit(self, *parts, **named)
    distributed.Client.submit = watched
    first, last, flows = sys.argv[1:]
    backfill = load_flow_from_entrypoint(f"{flows}/backfill.py:backfill")  # as a deployment does
    said = backfill(from_date=first, to_date=last, ledger="both.csv", return_state=True)
    assert said.message == "2 months, 2 of them reconciled now, 0 before", said
    on_demand = load_flow_from_entrypoint(f"{flows}/reconcile_period.py:reconcile_period")
    killed = []
    def kill():
        while not Path("held").exists():
            time.sleep(0.05)
        busy = [address for address, tasks in distributed.get_client().processing().items() if tasks]
        for nanny in cluster.workers.values():
            if nanny.worker_address in busy:
                os.kill(nanny.pid, signal.SIGKILL)
                killed.append(nanny.pid)
        Path("hold").unlink()
    Path("hold").touch()
    watching = distributed.Client(cluster, set_as_default=True)
    threading.Thread(target=kill, daemon=True).start()
    assert on_demand(from_date=first, to_date=last, return_state=True).is_completed()
    assert killed, "every worker that was at work"
    watching.close()
    cluster.close()
if __name__ == "__main__":  # its workers import this, too
    main()
"""


@pytest.fixture(scope="module")
def world(make_command: MakeCommand, calm_shop: Shop) -> Iterator[Prefect]:
    """A server without a worker."""
    with serving(make_command, calm_shop) as found:
        yield found


@pytest.fixture(scope="module")
def plain(make_command: MakeCommand, calm_shop: Shop, world: Prefect) -> dict[str, str]:
    """What the command reports of these days, without Prefect."""
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    command.good(*run_words(world))
    return command.latest().same()


@pytest.fixture(scope="module", autouse=True)
def left_alone(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop
) -> Iterator[tuple[Command, Running]]:
    """A command whose server goes away in the middle and stays away.

    Prefect's client takes a minute to give that up, so it begins before the other tests, and ends beside them.
    """
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, cable(world.api) as (address, cut):
        command = flow_command(
            world,
            make_command,
            calm_shop,
            KSPAY_BASE_URL=held.base_url,
            PREFECT_CLIENT_MAX_RETRIES="1",  # its SQLite may be busy
        )
        with command.start(*run_words(world), PREFECT_API_URL=address) as running:
            until(lambda: hold.held.is_set() or running.process.poll() is not None)
            cut()
            hold.go.set()
            yield command, running


def script(command: Command, content: str, *arguments: str) -> Running:
    """Run a program of Python as the command would be run; leaving the block kills it if it has not ended."""
    path = command.folder / "script.py"
    path.write_text(content, "utf-8")
    return Running([str(path), *arguments], command.folder, command.environment(), warm=True)


def test_the_command_appears_as_a_flow_run(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop, plain: dict[str, str]
) -> None:
    command = flow_command(world, make_command, calm_shop)
    outcome = command.good(*run_words(world), "--out", "flow", "--json")
    report = command.latest("flow")
    assert outcome.out == (report.folder / "run.json").read_text("utf-8")
    stages = ("ledger", "fetch", "match", "report")
    assert [line for line in outcome.err.splitlines() if line.split(": ")[0] not in stages] == []
    said = results_of(report)
    assert [line for line in outcome.err.splitlines() if line in said] == said
    assert report.same() == plain
    run = world.runs(None)[0]
    assert (run["name"], run["state"]["type"]) == (" to ".join(world.days), "COMPLETED")
    assert run["parameters"]["from_date"] == world.days[0]
    assert str(report.folder) in run["state"]["message"]


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


def test_a_database_that_is_restarted_costs_no_night(
    world: Prefect, make_command: MakeCommand, made_home: Path, calm_shop: Shop, plain: dict[str, str]
) -> None:
    """In the middle of a run it cuts the connections, and for a while it takes no new ones."""
    command = flow_command(world, make_command, calm_shop)
    copy_home(made_home, command.folder / "server")
    server = partial(listening, command.folder / "server", free_port())
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, ExitStack() as stack:
        with server() as url:
            command.settings |= {"KSPAY_BASE_URL": held.base_url, "RECONCILE_DATABASE_URL": url}
            stack.enter_context(script(command, AGAIN, *world.days))
            until(hold.held.is_set)
            run = world.runs(None)[0]
        hold.go.set()
        until(lambda: any("does not answer" in line for line in world.logs(run)))
        with server():
            until(lambda: world.ask("GET", f"/flow_runs/{run['id']}")["state"]["type"] in ENDED)
    assert world.ask("GET", f"/flow_runs/{run['id']}")["state"]["type"] == "COMPLETED"
    said = world.logs(run)
    assert [line for line in said if "the database went away (" in line and "begins again" in line]
    assert [line for line in said if "does not answer" in line and "refused" in line]
    assert not [line for line in said if "Traceback" in line or "[SQL" in line]
    assert command.latest().same() == plain
    with script(command, HISTORY_AWAY) as running:  # it looks first which months are done
        outcome = running.ended()
    assert outcome.code == 0, outcome
    with server():
        month, *noted = json.loads(command.good("runs", "--json").out)["runs"]
    assert (month["state"], month["period_first"], month["period_last"]) == (
        "failed",
        "2026-03-01",
        "2026-03-31",
    )
    # Each try is a run, the first that was cut off too; they say what the log says.
    assert [run["state"] for run in noted] == ["finished", *["failed"] * (len(noted) - 1)]
    assert "went away" in noted[-1]["error"]
    assert len(noted) > 2
    assert all("does not answer" in run["error"] for run in noted[1:-1])
    assert all(any(line.startswith(run["error"]) for line in said) for run in noted[1:])


def test_a_disk_that_is_full_is_told_on_the_page(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop, plain: dict[str, str]
) -> None:
    command = flow_command(world, make_command, calm_shop)
    if (ended := command.on_disk("reports", *run_words(world))) is None:
        pytest.skip("no disk may be mounted here")
    run = world.runs(None)[0]
    says = "reports: No space left on device: free space and start again"
    assert (ended.code, ended.out, ended.complaint) == (1, "", f"reconcile: {says}")
    assert (run["state"]["type"], run["state"]["message"]) == ("FAILED", says)
    assert not [line for line in world.logs(run) if "Traceback" in line]
    command.good(*run_words(world))
    assert command.latest().same() == plain


def test_a_history_month_by_month(world: Prefect, make_command: MakeCommand, calm_shop: Shop) -> None:
    """Two months, of which a run covers the first already; and a run that takes too long."""
    command = flow_command(world, make_command, calm_shop)
    month = ("--from", "2026-04-01", "--to", "2026-04-30")
    command.good("run", *month, "--ledger", "ledger.csv", **NO_PREFECT)
    with script(command, HISTORY) as running:
        outcome = running.ended()
    assert outcome.code == 0, outcome
    first = next(run for run in reversed(world.runs(None)) if run["name"] == "backfill from 2026-04-01")
    assert json.loads(world.artifacts(first)["backfill"]["data"]) == [
        {"month": "2026-04-01 to 2026-04-30", "run": "covered before", "open": "", "failed": ""},
        {"month": "2026-05-01 to 2026-05-03", "run": "2026-05-01_2026-05-03_1", "open": "9", "failed": ""},
    ]
    world.ended_tasks(first, "2026-05-01 to 2026-05-03", "fetch", "match", "report")


def test_one_app_that_fails_is_named_and_the_report_of_the_other_stands(
    world: Prefect, make_command: MakeCommand, calm_shop: Shop
) -> None:
    shops = [calm_shop[0], Merchant.made_up(21, date(2026, 4, 1), 5)]
    command = make_command(PREFECT_API_URL=world.api, RECONCILE_GIVE_UP_SECONDS="0", **QUIET)
    command.settings |= {
        "PREFECT_HOME": str(command.folder / "prefect"),
        "RECONCILE_NOTIFY": world.project.settings["RECONCILE_NOTIFY"],
        "RECONCILE_REPORT_URL": "https://books.example/reports",
    }
    with serve(shops[1]) as two, gate(two, lambda path, body: (503, b"{}")) as broken:
        write_apps(command, shops, (calm_shop[1], broken))
        with script(command, PARTLY, *world.days) as running:
            assert running.ended().code == 0
    report = command.latest()
    assert report.document()["apps"] == [shops[0].app_id]
    failed = f"app {two.app_id} failed: KS Pay, POST /auth/generate-token"
    page = f"https://books.example/reports/{report.run_id}/report.html"
    run = world.runs(None)[0]
    assert (run["state"]["type"], run["name"]) == ("FAILED", " to ".join(world.days))
    assert run["state"]["message"].startswith(failed)
    assert run["state"]["message"].endswith(f"the report of {shops[0].app_id} stands at {page}")
    assert report.run_id in world.artifacts(run)["reconciliation"]["data"]
    [message] = [one for one in world.messages if two.app_id in one["title"]]
    assert message["title"].startswith(f"Failed for {two.app_id}. Reconciliation ")
    assert message["type"] == "failure"
    assert message["message"].startswith(failed)
    assert page in message["message"]


def test_workers_of_dask_give_the_same_bytes(world: Prefect, make_command: MakeCommand) -> None:
    """Two workers fetch two apps, and the second month while the first is reported: as the command, month by month.

    And a fetch whose worker is killed is done again by another one.
    """
    shops = [Merchant.made_up(seed, date(2026, 4, 24), 12) for seed in (21, 22)]
    months = (("2026-04-24", "2026-04-30"), ("2026-05-01", "2026-05-05"))
    alone, command = make_command(), make_command(PREFECT_API_URL=world.api, **QUIET)

    def holding(path: str, body: bytes) -> bytes:
        if path.startswith("/transaction?") and (command.folder / "hold").exists():
            (command.folder / "held").touch()
            until(lambda: not (command.folder / "hold").exists())
        return body

    with serve(shops[0]) as one, serve(shops[1]) as two, gate(two, holding) as held:
        write_apps(alone, shops, (one, two))
        write_apps(command, shops, (one, held))
        for number, (first, last) in enumerate(months):
            ledger = () if number else ("--ledger", "both.csv")  # as the backfill, which imports it once
            alone.good("run", "--from", first, "--to", last, *ledger)
        whole = (months[0][0], months[1][1])
        alone.good("run", "--from", whole[0], "--to", whole[1])
        command.settings["PREFECT_HOME"] = str(command.folder / "prefect")
        with script(command, FANNED_OUT, *whole, str(ROOT / "flows")) as running:
            outcome = running.ended(250)
    assert outcome.code == 0, outcome
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
    page = json.dumps([run, tasks, world.logs(run), outcome.out, outcome.err])
    for key in (one.access_key, one.secret_key, two.secret_key, command.settings["RECONCILE_DATABASE_URL"]):
        assert key not in page


def test_one_command_deploys_all_and_may_be_repeated(world: Prefect) -> None:
    for path in (ROOT / "prefect.yaml", ROOT / "automations.yaml"):
        shutil.copy(path, world.project.folder)
    copy_flows(world.project)
    names = "backfill", "decisions", "month-close", "nightly", "on-demand", "validate"
    said = [
        f"6 deployments: {', '.join(names)}",
        "the forms of backfill, nightly, on-demand have calendars, and compare their dates",
    ]
    for pool, automations in (("made", "5 made, 0 updated"), ("is there", "0 made, 5 updated")):
        outcome = deploy(world.project)
        assert (outcome.returncode, outcome.stderr) == (0, "")
        lines = [f"work pool reconcile: {pool}", *said, f"5 automations: {automations}"]
        assert outcome.stdout.splitlines() == lines
    deployments = world.ask("POST", "/deployments/filter")
    assert sorted(one["name"] for one in deployments) == [*names]
    assert {one["work_pool_name"] for one in deployments} == {"reconcile"}
    ruled = [one["name"] for one in deployments if "if" in one["parameter_openapi_schema"]]
    assert sorted(ruled) == ["backfill", "nightly", "on-demand"]
    assert world.ask("GET", "/work_pools/reconcile")["type"] == "process"
    automations = world.ask("POST", "/automations/filter")
    found = {one["name"]: one for one in automations}
    assert len(automations) == len(found) == 5
    gone = found["reconcile heartbeat is gone"]
    beat = re.search(r'HEARTBEAT_FREQUENCY: "(\d+)"', (ROOT / "prefect.yaml").read_text("utf-8"))
    assert beat
    assert 3 * int(beat[1]) < gone["trigger"]["within"] == 100
    assert gone["actions"][0]["state"] == "CRASHED"


def test_a_server_that_goes_away_changes_nothing_but_the_page(
    left_alone: tuple[Command, Running], plain: dict[str, str]
) -> None:
    command, running = left_alone
    outcome = running.ended()
    assert outcome.code == 0, outcome
    assert "prefect: its page does not show the end of this run" in outcome.err
    assert "Traceback" not in outcome.err
    assert command.latest().same() == plain
