"""The deployed flows on a real Prefect server with two process workers: by hand, by cron, and on bad days."""

import json
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from flows.form import TOGETHER
from flows.page import ended
from flows.summary import escaped
from reconcile.core.discrepancies import GLANCE
from reconcile.core.money import grouped
from reconcile.core.progress import silent
from reconcile.core.wording import words
from reconcile.db.engine import open_store
from reconcile.db.locks import app_locks, match_locks
from reconcile.pipeline import Finished
from reconcile.settings import Settings
from tests.support.desk import PERSON
from tests.support.driver import CSVS, Command, MakeCommand, Report, Shop
from tests.support.gate import Hold, gate
from tests.support.prefect_server import (
    BIN,
    ENDED,
    NO_PREFECT,
    Prefect,
    background,
    cable,
    copy_flows,
    deploy,
    prefect,
    results_of,
    run_words,
    serving,
    until,
)
from tests.support.warm import interpreter

ROOT = Path(__file__).parents[2]
ZONE = "America/New_York"
"""Where nights end, as the deployments are made."""
REPORTS = "https://books.example/reports"
"""Where people would reach the folder `reports`."""
WORKER_LOGS = ("worker.log", "worker2.log")
BACKWARDS = {"from_date": "2026-08-31", "to_date": "2026-08-01"}
EVERY_MINUTE = """
  - name: every-minute
    entrypoint: flows/reconcile_period.py:reconcile_period
    schedules:
      - cron: "* * * * *"
        timezone: "{{ settings.timezone }}"
    parameters: {from_date: "FIRST", to_date: "LAST", ledger: ledger.csv, out: reports/minutes}
    work_pool: *work_pool
"""


@pytest.fixture(scope="module")
def world(make_command: MakeCommand, calm_shop: Shop) -> Iterator[Prefect]:
    """A server, a pool and two workers; deployed is prefect.yaml as it is, and the flow once more for every minute."""
    with ExitStack() as stack:
        found = stack.enter_context(serving(make_command, calm_shop))
        project = found.project
        (project.folder / "reconcile.toml").write_text("[ledger.tally]\ncurrency = 'INR'\n", "utf-8")
        copy_flows(project)
        # Those of ours would look at every test's runs; test_flows_in_process.py makes them.
        (project.folder / "automations.yaml").write_text("automations: []", "utf-8")
        project.settings["RECONCILE_REPORT_URL"] = REPORTS
        minutely = EVERY_MINUTE.replace("FIRST", found.days[0]).replace("LAST", found.days[1])
        (project.folder / "prefect.yaml").write_text((ROOT / "prefect.yaml").read_text("utf-8") + minutely)
        foreign = found.ask("POST", "/flows/", name="backfill")["id"]
        found.ask("POST", "/deployments/", name="foreign", flow_id=foreign, entrypoint="other.py:backfill")
        outcome = deploy(project, RECONCILE_TIMEZONE=ZONE)
        assert outcome.returncode == 0, outcome
        worker: list[str | Path] = [interpreter(project.user_home), BIN / "prefect", "worker", "start"]
        worker += ["--pool", "reconcile", "--limit", "1"]
        for log in WORKER_LOGS:
            stack.enter_context(background(worker, project, log, PREFECT_WORKER_QUERY_SECONDS="4"))
        yield found


@pytest.fixture(scope="module")
def plain(world: Prefect, make_command: MakeCommand, calm_shop: Shop) -> Command:
    """The command with a database of its own, and its report of these days: nothing bad happens to it."""
    command = make_command(calm_shop[1])
    calm_shop[0].write_ledger(command.folder / "ledger.csv")
    command.good(*run_words(world))
    return command


def check_the_next_run_is_as_undisturbed(world: Prefect, plain: Command) -> None:
    world.project.good(*run_words(world), "--out", "after", "--wait", **NO_PREFECT)
    assert world.project.latest("after").same() == plain.latest().same()


@pytest.fixture(scope="module", autouse=True)
def left_alone(world: Prefect, calm_shop: Shop) -> Iterator[dict[str, Any]]:
    """A deployed run whose server goes away in the middle, for good.

    Prefect's client takes a minute to give that up. So it begins before the other tests, and ends beside them: they
    have the other worker.
    """
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, cable(world.api) as (address, cut):
        env = {
            "KSPAY_BASE_URL": held.base_url,
            "PREFECT_API_URL": address,
            "PREFECT_CLIENT_MAX_RETRIES": "1",
        }
        # Prefect keeps the error that it could not send; no other run leaves anything in the storage.
        env["PREFECT_LOCAL_STORAGE_PATH"] = str(world.project.folder / "unsent")
        days: dict[str, Any] = {"from_date": world.days[0], "to_date": world.days[1], "ledger": "ledger.csv"}
        run = world.start(job_variables={"env": env}, out="away", **days)
        until(hold.held.is_set)
        cut()
        hold.go.set()
        yield run


def test_a_wrong_period_fails_in_our_words(world: Prefect) -> None:
    run = world.by_hand(from_date=world.days[0], to_date="2099-12-31")
    assert world.messages[-1]["title"] == "Reconciliation failed"
    message = run["state"]["message"]
    assert run["state"]["type"] == "FAILED"
    assert message.startswith("--to 2099-12-31 lies in the future: today is ")
    until(lambda: message in world.logs(run))
    assert not [line for line in world.logs(run) if "Traceback" in line]


def test_the_form_explains_itself(world: Prefect) -> None:
    deployment = world.ask("GET", "/deployments/name/reconcile-period/on-demand")
    schema = deployment["parameter_openapi_schema"]
    fields = schema["properties"]
    assert [*fields][:7] == ["from_date", "to_date", "ledger", "profile", "apps", "snapshot", "allow"]
    assert all(field["description"] for field in fields.values())
    titles = [field["title"] for field in fields.values()]
    assert titles[:3] == ["First day (from_date)", "Last day (to_date)", "Ledger file (ledger)"]
    assert not set(titles) & set(fields), "each has one of its own"
    assert fields["profile"]["enum"] == ["", "tally"]
    assert fields["apps"]["items"]["enum"] == [world.project.settings["KSPAY_APP_ID"]]
    assert "mostly_usable" in fields["allow"]["items"]["enum"]
    assert fields["from_date"]["examples"] == ["2026-08-01"]
    assert (deployment["schedules"], deployment["parameters"]["wait"]) == ([], True)
    assert deployment["version"] == version("kspay-reconcile")

    # What the page asks before it submits.
    def refused(schema: dict[str, Any], **values: Any) -> list[str]:
        answer = world.ask("POST", "/ui/schemas/validate", schema=schema, values=values)
        return [*dict.fromkeys(error["property"] for error in answer["errors"])]

    wrong = partial(refused, schema)
    assert wrong(from_date="2026-02-01", to_date="2026-02-02", profile="tally", allow=["mostly_usable"]) == []
    assert wrong(from_date="1.2.2026", profile="tolly", apps=["ap_other"], allow=["all"]) == [
        "from_date",
        "profile",
        "apps",
        "allow",
    ]
    schema = world.ask("GET", "/deployments/name/backfill/backfill")["parameter_openapi_schema"]
    assert schema["properties"]["from_date"]["format"] == "date"
    assert refused(schema, from_date="2026-02-28") == []
    assert refused(schema, from_date="2026-02-30") == ["from_date"]


@pytest.mark.parametrize(
    ("deployment", "parameters", "says"),
    [
        ("on-demand", {"from_date": "2026-08-01"}, f"'from_date'. Failure reason: '{TOGETHER}' was expected"),
        ("on-demand", {"to_date": "2026-08-01", "from_date": ""}, f"'to_date'. Failure reason: '{TOGETHER}'"),
        ("on-demand", BACKWARDS, "'to_date'. Failure reason: 'from_date or a later day' was expected"),
        ("backfill", BACKWARDS, "'to_date'. Failure reason: 'from_date or a later day' was expected"),
    ],
)
def test_two_dates_are_compared_before_there_is_a_run(
    world: Prefect, deployment: str, parameters: dict[str, Any], says: str
) -> None:
    flow = "backfill" if deployment == "backfill" else "reconcile-period"
    before = world.runs(deployment)
    with pytest.raises(requests.HTTPError) as refused:
        world.start(f"{flow}/{deployment}", **parameters)
    assert says in refused.value.response.json()["detail"]
    assert len(world.runs(deployment)) == len(before)


def test_dates_have_calendars(world: Prefect) -> None:
    for name in ("reconcile-period/nightly", "reconcile-period/on-demand", "backfill/backfill"):
        deployment = world.ask("GET", f"/deployments/name/{name}")
        fields = deployment["parameter_openapi_schema"]["properties"]
        for day in ("from_date", "to_date"):
            assert (fields[day]["format"], "default" in fields[day]) == ("date", False)
        assert deployment["parameters"]["time_limit_hours"]


def test_nights_end_in_the_business_time_zone(world: Prefect) -> None:
    nights = until(lambda: world.runs("nightly", any_=["SCHEDULED"]))
    starts = [datetime.fromisoformat(run["expected_start_time"]).astimezone(ZoneInfo(ZONE)) for run in nights]
    assert {f"{start:%H:%M}" for start in starts} == {"06:30"}
    assert nights[0]["parameters"] == {"wait": True, "time_limit_hours": 8}
    [schedule] = world.ask("GET", "/deployments/name/reconcile-period/nightly")["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 6 * * *", ZONE)


def test_a_run_cancelled_on_the_page_was_stopped(world: Prefect, plain: Command) -> None:
    """And beside it, while it works, another scheduler may do nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        run = world.start(
            job_variables={"env": {"KSPAY_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}},
            from_date=world.days[0],
            to_date=world.days[1],
            ledger="ledger.csv",
        )
        until(lambda: "fetch" in world.tasks(run))
        by_cron = world.project(*run_words(world), **NO_PREFECT)
        assert (by_cron.code, by_cron.out, "another run" in by_cron.complaint) == (5, "", True)
        world.ask("POST", f"/flow_runs/{run['id']}/set_state", state={"type": "CANCELLING"})
        assert world.ended(run)["state"]["type"] == "CANCELLED"
    said = world.project.good("runs", **NO_PREFECT).out
    assert "stopped before it was done" in said
    assert "fault of ours" not in said
    check_the_next_run_is_as_undisturbed(world, plain)


def process_of(run: Mapping[str, Any]) -> int:
    """The process that a worker began for a run: it stands for a fork, which ends with it."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"FLOW_RUN_ID={run['id']}".encode() in (process / "environ").read_bytes():
                return int(process.name)
    raise AssertionError("no process of this run is there")


def killed_in_the_middle(
    world: Prefect, shop: Shop, plain: Command, *, itself: bool, its_worker: bool
) -> None:
    """Kill a run, its worker or both: the page says so, the next run works as if nothing had happened, and ours says
    how the killed one ended."""
    days: dict[str, Any] = {"from_date": world.days[0], "to_date": world.days[1], "ledger": "ledger.csv"}
    hold = Hold("/transaction?")
    with gate(shop[1], hold) as held:
        run = world.start(job_variables={"env": {"KSPAY_BASE_URL": held.base_url}}, **days)
        until(hold.held.is_set)
        flow = process_of(run)
        if its_worker:
            status = (Path("/proc") / str(flow) / "status").read_text("utf-8")
            worker = int(status.partition("PPid:")[2].split()[0])
            assert Path(f"/proc/{worker}/fd/1").readlink().name in WORKER_LOGS
            os.kill(worker, signal.SIGKILL)
        if itself:
            os.kill(flow, signal.SIGKILL)
        hold.go.set()
        # Without its worker a run goes on, though nobody takes the lines that it prints.
        assert world.ended(run)["state"]["type"] == ("CRASHED" if itself else "COMPLETED")
        with suppress(ProcessLookupError):
            os.kill(flow, signal.SIGKILL)  # where it does not end, it would outlive the tests
    if not itself:
        until(lambda: any(line.startswith("done: ") for line in world.logs(run)))
        assert not [line for line in world.logs(run) if "Traceback" in line]
    check_the_next_run_is_as_undisturbed(world, plain)
    said = world.project.good("runs", **NO_PREFECT).out
    if itself:
        assert "ended without a message" in said
    assert "fault of ours" not in said


def test_a_run_whose_process_is_killed(world: Prefect, calm_shop: Shop, plain: Command) -> None:
    killed_in_the_middle(world, calm_shop, plain, itself=True, its_worker=False)


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
    # Not `latest`: where the tests before took long, there is a second run.
    page = run["state"]["message"].rpartition(f"; the page: {REPORTS}/")[2]
    report = Report((world.project.folder / "reports" / page).parent)
    assert page == f"minutes/{report.run_id}/report.html"
    assert all(report.rows(name) for name in CSVS)
    check_artifacts(world, run, report)
    results = results_of(report)
    until(lambda: set(results) <= set(world.logs(run)))
    assert [line for line in world.logs(run) if line in results] == results, "each once, in their order"
    # A limit of RECONCILE_NOTIFY_WHEN (high>0) is not passed: only pending payments are stale.
    assert run["state"]["name"] == "Completed"
    told = world.told_of(report.run_id, "reconcile.discrepancies", "reconcile.finished")
    roles = {one["prefect.resource.role"]: one.get("prefect.resource.name") for one in told[0]["related"]}
    assert roles["deployment"] == "every-minute"
    # What a run brought stands in the database and the files, and nothing of it in Prefect's storage.
    assert not [path for path in (world.project.folder / "prefect" / "storage").rglob("*") if path.is_file()]


def check_artifacts(world: Prefect, run: Mapping[str, Any], report: Report) -> None:
    by_key = world.artifacts(run)
    assert {key: one["type"] for key, one in by_key.items()} == {
        "reconciliation": "markdown",
        "largest-open-items": "table",
        **dict.fromkeys(("report", "workbook", "data-docs"), "markdown"),  # a link is one
        **{f"{stage} bar": "progress" for stage in ("inbox", "ledger", "fetch", "match", "report")},
    }
    assert {one["data"] for one in by_key.values() if one["type"] == "progress"} == {100.0}
    links = {"report": "report.html", "workbook": f"report-{report.run_id}.xlsx"}
    for key, path in {**links, "data-docs": "data-docs/index.html"}.items():
        assert f"({REPORTS}/minutes/{report.run_id}/{path})" in by_key[key]["data"]
        assert (report.folder / path).exists()
    for suite in ("transactions", "entries", "results by run"):
        assert list((report.folder / "data-docs" / "validations" / suite).rglob("*.html")), suite
    shown = by_key["reconciliation"]["data"]
    assert report.run_id in shown
    document = report.document()
    assert document["discrepancies"]
    for name, count in document["discrepancies"].items():
        assert f"| {escaped(name)} | {count} |" in shown
    for part in ("at_risk", "to_check", "timing", "in_quarantine"):
        rows = [row for row in document["at_a_glance"]["parts"] if row["part"] == part]
        amounts = "; ".join(f"{row['currency']} {grouped(row['amount'], row['currency'])}" for row in rows)
        count = sum(row["count"] for row in rows)
        assert f"| {words(part)} | {GLANCE[part]} | {count} | {escaped(amounts)} |" in shown
    assert document["at_a_glance"]["parts"]
    for total in document["totals"]:
        assert f"{grouped(total['amount'], total['currency'])} ({total['count']:,})" in shown
    for one in document["open"]:
        assert f"| {one['severity']} | {one['currency']} | {one['count']} | " in shown
    for name in [*document["files"], "run.json"]:
        assert f"[{name}](<{REPORTS}/minutes/{report.run_id}/{name}>)" in shown
    assert str(report.folder) not in shown
    items = json.loads(by_key["largest-open-items"]["data"])
    known = {row["discrepancy_id"] for row in report.rows("discrepancies") if row["severity"] != "info"}
    assert {item["discrepancy"] for item in items} == known
    assert [*items[0]][:3] == ["amount", "age", "what is wrong"], "what a person sees without scrolling"
    assert not [cell for item in items for cell in item.values() if cell.startswith('="')]


def test_a_server_that_is_away_past_the_end_of_a_deployed_run(
    world: Prefect, left_alone: dict[str, Any], plain: Command
) -> None:
    """The page says how it ended, its report stands, and the next run gives the same bytes."""
    assert world.ended(left_alone)["state"]["type"] == "CRASHED"
    away = world.project.latest("away")
    assert away.run_id in world.project.good("runs", **NO_PREFECT).out
    check_the_next_run_is_as_undisturbed(world, plain)
    assert away.same() == world.project.latest("reports/minutes").same() == plain.latest().same()


def test_nights_that_were_missed_are_made_up_for_by_one(world: Prefect, plain: Command) -> None:
    """Three, for two workers: one comes behind the first, the other waits for its end."""
    reports = world.project.folder / "reports"
    before = set(reports.glob("*_*"))
    now = datetime.now(UTC)
    deployment = world.ask("GET", "/deployments/name/reconcile-period/nightly")
    due = {"start_time": str(now - timedelta(days=3)), "end_time": str(now)}
    world.ask("POST", f"/deployments/{deployment['id']}/schedule", min_runs=3, max_runs=3, **due)

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
    assert set(reports.glob("*_*")) - before == {reports / run_id}
    first, last, _ = run_id.split("_")
    plain.good("run", "--from", first, "--to", last, "--out", "night")
    assert world.project.latest().same() == plain.latest("night").same()


def test_every_deployment(world: Prefect) -> None:
    """Each of them, begun over the API and done by two workers: reports, artifacts, events and messages."""
    first, last = world.days[0], f"{world.days[1][:7]}-30"
    world.pause_every_minute()  # such a run would take the inbox in, too
    good_rows = (world.project.folder / "ledger.csv").read_text("utf-8")
    (world.project.folder / "bad.csv").write_text(f"{good_rows}BAD,,?,INR,{last},,,,,\n", "utf-8")
    app_id = world.project.settings["KSPAY_APP_ID"]
    matching = f"wait: another run, trial or check matches the records of app {app_id}"
    at_work = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}}}
    until(lambda: not world.ask("POST", "/flow_runs/filter", **at_work))  # none is to take the lock between
    with open_store(Settings(home=world.project.home)) as engine, ExitStack() as held:
        with app_locks(engine, [app_id], wait=True):
            held.enter_context(match_locks(engine, [app_id], silent))
            begun = world.start(from_date=first, to_date=last, ledger="bad.csv", out="before")
            until(lambda: f"wait: another run works on app {app_id}" in world.logs(begun))
        until(lambda: matching in world.logs(begun))
        with world.project.start("doctor", **NO_PREFECT) as doctor:
            doctor.wait_for(matching)
            held.close()
            assert doctor.ended().code == 0
    by_hand = world.ended(begun)
    assert (by_hand["state"]["type"], by_hand["name"]) == ("COMPLETED", f"{first} to {last}"), by_hand
    names = "reconcile.discrepancies", "reconcile.finished", "reconcile.quarantine"
    told = world.told_of(world.project.latest("before").run_id, *names)
    assert told[-1]["payload"]["quarantined"] == {"ledger": 1}
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
    assert said["decisions/decisions"] == "1 decision of 1 file, 0 ledgers, 0 files refused"
    assert said["backfill/backfill"] == "1 month, 0 of them reconciled now, 1 before"
    closed = world.project.folder / "reports" / "closed" / f"{first[:7]}-v1"
    assert json.loads((closed / "close.json").read_text("utf-8"))["closed_by"] == "Asha"
    of_close = world.artifacts(ended["month-close/month-close"])
    assert "version 1, closed by Asha" in of_close["close-statement"]["data"]
    statement = f"{REPORTS}/closed/{closed.name}/statement-{first[:7]}.html"
    assert f"({statement})" in of_close["closed"]["data"]
    assert said["month-close/month-close"].endswith(f"; the page: {statement}")
    assert "transactions" in world.artifacts(ended["validate/validate"])["validation"]["data"]
    night = world.project.latest()
    assert nightly["state"]["name"] == "Over limit", nightly["state"]["message"]
    assert night.run_id in nightly["state"]["message"]
    assert night.run_id in world.artifacts(nightly)["reconciliation"]["data"]
    until(lambda: night.run_id in {one["payload"].get("run_id") for one in world.events()})
    [message] = [one for one in world.messages if f"{REPORTS}/{night.run_id}/" in one["message"]]
    assert message["title"].startswith("Reconciliation ")


def test_a_run_whose_worker_is_killed(world: Prefect, calm_shop: Shop, plain: Command) -> None:
    """The last that needs two workers: one is left."""
    for decided in (world.project.folder / "inbox").rglob("decided.csv"):  # the data is not what it was
        plain.good("resolve", decided, "--by", "Asha")
        plain.good(*run_words(world))
    killed_in_the_middle(world, calm_shop, plain, itself=False, its_worker=True)


def test_a_run_that_is_killed_with_its_worker(world: Prefect, calm_shop: Shop, plain: Command) -> None:
    """As when their machine dies: nobody is left who could say so but Prefect's server, which misses the heartbeat."""
    ours = (ROOT / "automations.yaml").read_text("utf-8")
    (world.project.folder / "soon.yaml").write_text(ours.replace("within: 100\n", "within: 10\n"), "utf-8")
    prefect(world.project, "automation", "create", "--from-file", "soon.yaml")
    killed_in_the_middle(world, calm_shop, plain, itself=True, its_worker=True)


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
