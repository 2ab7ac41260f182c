"""A run that fails while its database is away is listed like every other one once the database is back."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconcile.db.embedded.cluster import Home
from tests.conftest import copy_home
from tests.support.driver import Command, MakeCommand, Outcome, Shop
from tests.support.gate import Hold, gate
from tests.support.own_postgres import listening
from tests.support.prefect_server import free_port

DAYS = ("--from", "2026-04-01", "--to", "2026-04-05")
RUN = ("run", *DAYS, "--ledger", "ledger.csv")

Server = Callable[[], AbstractContextManager[str]]


@pytest.fixture
def away(calm_shop: Shop, make_command: MakeCommand, made_home: Path) -> tuple[Command, Server]:
    """A command whose database is a server of its own, which does not run yet."""
    merchant, sandbox = calm_shop
    command = make_command(sandbox, embedded=True)
    merchant.write_ledger(command.folder / "ledger.csv")
    copy_home(made_home, command.folder / "server")
    server = partial(listening, command.folder / "server", free_port())
    with server() as url:
        command.settings["RECONCILE_DATABASE_URL"] = url
    return command, server


def kept(command: Command) -> list[Path]:
    return sorted((command.home / "failures").glob("*"))


def listed(command: Command) -> list[dict[str, Any]]:
    """What `reconcile runs` says, the oldest first."""
    rows: list[dict[str, Any]] = json.loads(command.good("runs", "--json").out)["runs"]
    return rows[::-1]


def said(outcome: Outcome) -> str:
    return outcome.complaint.removeprefix("reconcile: ")


def test_a_database_that_is_down(away: tuple[Command, Server]) -> None:
    """Two that ask for the runs at once take in each failure once."""
    command, server = away
    down = command(*RUN)
    assert (down.code, down.out) == (2, "")
    assert said(down).startswith(
        "RECONCILE_DATABASE_URL: the database at 127.0.0.1 does not answer: connection failed"
    )
    # The first thing wrong is the one that is told.
    missing = command("run", *DAYS, "--ledger", "none.csv")
    assert missing.code == 2
    assert "none.csv" in said(missing)
    nightly = command("run", "--ledger", "ledger.csv")
    assert said(nightly) == said(down)
    assert command("runs").code == command("metrics").code == 2  # they are no runs
    files = kept(command)
    assert [json.loads(path.read_text("utf-8"))["error"] for path in files] == [
        said(down),
        said(missing),
        said(nightly),
    ]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    secrets = (Home.at(command.folder / "server").password(), command.settings["KSPAY_SECRET_KEY"])
    assert not [path for path in files for secret in secrets if secret in path.read_text("utf-8")]
    at = [json.loads(path.read_text("utf-8"))["at"] for path in files]
    with server():
        with command.start("runs", "--json") as one, command.start("metrics") as other:
            assert (one.ended().code, other.ended().code) == (0, 0)
        assert kept(command) == []
        rows = listed(command)
        assert [row["error"] for row in rows] == [said(down), said(missing), said(nightly)]
        assert {(row["command"], row["state"], row["folder"]) for row in rows} == {("run", "failed", None)}
        assert {tuple(row["apps"]) for row in rows} == {(command.settings["KSPAY_APP_ID"],)}
        assert [row["started_at"] for row in rows] == [row["finished_at"] for row in rows]
        times = [datetime.fromisoformat(row["started_at"]) for row in rows]
        assert times == [datetime.fromisoformat(time).replace(microsecond=0) for time in at]
        assert [str(row["period_first"]) for row in rows[:2]] == ["2026-04-01"] * 2
        days = datetime.fromisoformat(rows[2]["period_last"]) - datetime.fromisoformat(
            rows[2]["period_first"]
        )
        assert days.days == 6  # RECONCILE_LOOKBACK_DAYS
        assert 'state="failed"} 3' in command.good("metrics").out
        command.good(*RUN)
        assert command.latest().run_id == "2026-04-01_2026-04-05_1"


def test_a_database_that_goes_away_before_the_run_is_noted(
    away: tuple[Command, Server], calm_shop: Shop
) -> None:
    """A run that waits for another one loses it, and so does the other one, whose row says why as well."""
    command, server = away
    hold = Hold("/transaction?")
    with gate(calm_shop[1], hold) as held, ExitStack() as database:
        database.enter_context(server())
        with command.start(*RUN, KSPAY_BASE_URL=held.base_url) as first:
            assert hold.held.wait(60)
            with command.start(*RUN, "--wait") as second:
                second.wait_for("wait: another run works on app")
                database.close()
                waited = second.ended()
                hold.go.set()
                ended = first.ended()
    for outcome in (waited, ended):
        assert (outcome.code, outcome.out) == (1, "")
        assert said(outcome).startswith("the database went away (")
    assert len(kept(command)) == 2
    with server():
        # Who does not sweep takes in why; the run is failed by who holds its lock.
        command.good("quarantine")
        assert kept(command) == []
        assert [(row["state"], row["error"]) for row in listed(command)] == [
            ("failed", said(ended)),
            ("failed", said(waited)),
        ]
        assert not (command.folder / "reports" / "2026-04-01_2026-04-05_1").exists()


def test_a_home_that_cannot_be_written(away: tuple[Command, Server]) -> None:
    """It does not hide what went wrong, and it is said that the failure is in no list."""
    command, server = away
    command.home.touch()
    outcome = command(*RUN)
    assert (outcome.code, outcome.out) == (2, "")
    assert "does not answer" in said(outcome)
    assert "runs: this failure is not kept: .reconcile/failures cannot be written: Not a directory" in (
        outcome.err
    )
    with server():
        assert command("run", *DAYS, "--ledger", "none.csv").code == 2
        [row] = listed(command)
        assert "none.csv" in row["error"]


def test_a_file_that_cannot_be_read_is_told(away: tuple[Command, Server]) -> None:
    command, server = away
    assert command(*RUN).code == 2
    torn = kept(command)[0]
    torn.write_text('{"run_id": "2026-04', "utf-8")
    says = f"{torn.relative_to(command.folder)}: why a run failed, and it cannot be read or removed"
    with server():
        outcome = command.good("runs")
        assert outcome.out == "no runs yet\n"
        assert outcome.err.startswith(f"warning: {says}")
        assert f"warn  runs: {says}" in command.good("doctor", "--quick").out
    assert kept(command) == [torn]


def test_no_database_is_made_and_one_that_is_there_counts(calm: Command, make_command: MakeCommand) -> None:
    keys = {name: value for name, value in calm.settings.items() if name.startswith("KSPAY_")}
    new = make_command(embedded=True, **keys)
    assert new(*RUN).code == 2
    assert not new.home.exists()
    there = make_command(made=True, **keys)
    (there.home / "postgres.password").rename(there.folder / "password")
    outcome = there("run", *DAYS, "--ledger", str(calm.folder / "ledger.csv"))
    assert (outcome.code, "postgres.password is missing" in said(outcome)) == (2, True)
    (there.folder / "password").rename(there.home / "postgres.password")
    assert [row["error"] for row in listed(there)] == [said(outcome)]
