"""The server's life: it really stops, and `reconcile sandbox` serves until it is told to stop."""

import csv
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from reconcile.cli.main import cli
from reconcile.core.errors import UsageError
from reconcile.sandbox.behaviour import PROFILES
from reconcile.sandbox.command import run
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve
from tests.support.sandbox_caller import TIMEOUT, Caller, hundred_days

PROGRAM = """
import sys
from pathlib import Path
from reconcile.sandbox.behaviour import PROFILES
from reconcile.sandbox.command import run
run(port=0, seed=5, days=30, first_day=None, ledger=Path(sys.argv[1]),
    profiles=["limit-ignored", "object"])
"""


def test_the_server_is_gone_after_the_block() -> None:
    merchant, before = hundred_days(), threading.enumerate()
    with serve(merchant) as sandbox:
        caller = Caller(sandbox)  # leaves a connection open
        assert caller.good("GET", "/currencies")
    with pytest.raises(requests.ConnectionError):
        caller.call("GET", "/currencies")
    caller.session.close()
    assert not [each for each in threading.enumerate() if each.name == "kspay-sandbox" and each not in before]
    port = int(sandbox.base_url.split(":")[2].split("/")[0])
    socket.create_server(("127.0.0.1", port)).close()


def test_the_server_stops_when_the_block_fails() -> None:
    merchant, before = hundred_days(), threading.enumerate()
    with pytest.raises(KeyError), serve(merchant):
        raise KeyError
    assert not [each for each in threading.enumerate() if each.name == "kspay-sandbox" and each not in before]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    today = datetime.now(UTC).date()
    ledger = tmp_path / "a ledger.csv"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, ledger], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        lines = [process.stdout.readline().rstrip("\n") for _ in range(6)]
        settings = dict(line.removeprefix("export ").split("=", 1) for line in lines[:4])
        assert list(settings) == ["KSPAY_BASE_URL", "KSPAY_APP_ID", "KSPAY_ACCESS_KEY", "KSPAY_SECRET_KEY"]
        words = shlex.split(lines[4].removeprefix("# then: "))
        assert words[:2] == ["reconcile", "run"]
        assert words[-2:] == ["--ledger", str(ledger)]
        base_url, app_id, access_key, secret_key = settings.values()
        keys = {"accessKey": access_key, "secretKey": secret_key}
        pair = requests.post(f"{base_url}/auth/generate-token/{app_id}", json=keys, timeout=TIMEOUT).json()
        bearer = {"Authorization": f"Bearer {pair['result']['accessToken']}"}
        created = {"fromDate": str(today - timedelta(days=31)), "toDate": str(today)}
        answer = requests.get(f"{base_url}/transaction", params=created, headers=bearer, timeout=TIMEOUT)
        assert len(answer.json()["result"]["transactions"]) == 50
        with ledger.open(encoding="utf-8", newline="") as file:
            assert list(csv.DictReader(file)) == Merchant.made_up(5, today - timedelta(days=29), 30).ledger
        process.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("place", ["", "missing/ledger.csv"])
def test_a_ledger_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    with pytest.raises(UsageError, match=re.escape(str(path))):
        run(port=0, seed=1, days=1, first_day=None, ledger=path)


@pytest.mark.parametrize("days", [0, -1, 10**9])
def test_an_impossible_number_of_days(days: int) -> None:
    with pytest.raises(UsageError, match=f"--days {days}"):
        run(port=0, seed=1, days=days, first_day=None, ledger=None)


def test_a_port_in_use() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            run(port=port, seed=1, days=1, first_day=None, ledger=None)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("rows", "profiles", "ledger", "says"),
    [(0, [], None, "--rows 0"), (5, [], Path("l.csv"), "--ledger"), (5, ["changes"], None, "bulk")],
)
def test_rows_that_cannot_be_served(rows: int, profiles: list[str], ledger: Path | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        run(port=0, seed=1, days=1, first_day=None, ledger=ledger, rows=rows, profiles=profiles)


def test_an_unknown_profile() -> None:
    with pytest.raises(UsageError, match="--profile nonsense"):
        run(port=0, seed=1, days=1, first_day=None, ledger=None, profiles=["nonsense"])


def test_help_lists_the_profiles() -> None:
    shown = CliRunner().invoke(cli, ["sandbox", "--help"]).output
    for name, (says, _) in PROFILES.items():
        assert re.search(rf"^ +{name} +{re.escape(says)}$", shown, re.MULTILINE)
