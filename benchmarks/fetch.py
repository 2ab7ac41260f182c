"""Fetch and load against a bare loop of requests and dlt's REST source: same server, same Postgres, by turns.

    python benchmarks/fetch.py --rows 1000000 --rounds 3 --dlt PATH/TO/PYTHON

Exits with 1 if a target is missed: per reading of the listing at least 40 % of the bare loop's speed, at
least 10 times dlt's rows a second, and at most 400 MiB for the whole process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from reconcile.core.records import Period
from reconcile.db.embedded.server import embedded_postgres
from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.server import serve

OF_BARE = 0.40
OF_DLT = 10
MEBIBYTES = 400
DAYS = 80
"""One window of the fetch."""

PROGRAM = (sys.executable, "-c", "from reconcile.cli.main import main; main()")


@dataclass(frozen=True)
class Run:
    """One fetch and load by the command, from its start to its end."""

    seconds: float
    readings: float  # how often each row was read on average
    mebibytes: float  # the largest resident size of any process of it


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--page-size", type=int, default=100)
    arguments.add_argument("--delay", type=float, default=0.03, help="seconds, of the slow server")
    arguments.add_argument("--delay-rows", type=int, default=50_000)
    arguments.add_argument("--dlt", help="the Python of an environment that holds dlt[postgres]")
    wanted = arguments.parse_args()
    today = datetime.now(UTC).date()
    days = Period(today - timedelta(days=DAYS), today - timedelta(days=1))
    missed: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        embedded_postgres(Path(folder)) as postgres,
    ):
        with serving(days, 1, 0) as keys:
            start = median(
                fetched(postgres, keys, days, 1, wanted.page_size).seconds for _ in range(wanted.rounds)
            )
        print(
            f"Pages of {wanted.page_size}. Start-up (one row fetched and loaded): {start:.1f} s, part of all of ours\n"
        )
        print(
            "| answers after | rows | bare loop, rows/s | ours per reading, rows/s | of bare | readings | peak |"
        )
        print("|---|---|---|---|---|---|---|")
        rates: list[float] = []
        for delay, rows in ((0.0, wanted.rows), (wanted.delay, wanted.delay_rows)):
            with serving(days, rows, delay) as keys:
                bare: list[float] = []
                ours: list[Run] = []
                for _ in range(wanted.rounds):
                    bare.append(rows / bare_loop(keys, days, rows, wanted.page_size))
                    ours.append(fetched(postgres, keys, days, rows, wanted.page_size))
            # A slow server is met with few rows: there the start-up would hide what is to be shown.
            apart = start if delay else 0.0
            speeds = [rows * run.readings / (run.seconds - apart) for run in ours]
            share = median(speed / other for speed, other in zip(speeds, bare, strict=True))
            peak = max(run.mebibytes for run in ours)
            print(
                f"| {delay * 1000:.0f} ms{', start-up apart' if delay else ''} | {rows:,} | {median(bare):,.0f} |"
                f" {median(speeds):,.0f} | {share:.0%} | {ours[0].readings:.1f} | {peak:.0f} MiB |",
                flush=True,
            )
            if share < OF_BARE:
                missed.append(f"{share:.0%} of the bare loop, not {OF_BARE:.0%} (answers after {delay} s)")
            if peak > MEBIBYTES:
                missed.append(f"{peak:.0f} MiB, not {MEBIBYTES}")
            rates = rates or speeds
        if wanted.dlt:
            with serving(days, wanted.rows, 0) as keys:
                theirs = median(
                    dlt(wanted.dlt, postgres, keys, days, wanted.rows, wanted.page_size)
                    for _ in range(wanted.rounds)
                )
            times = median(rates) / theirs
            print(
                f"\ndlt: {theirs:,.0f} rows/s ({wanted.rows:,} rows in pages of {wanted.page_size}, start-up apart);"
                f" ours {median(rates):,.0f} rows/s per reading, as above:"
                f" {times:.1f} times"
            )
            if times < OF_DLT:
                missed.append(f"{times:.1f} times dlt's speed, not {OF_DLT}")
    print("\nMISSED: " + "; ".join(missed) if missed else "\nAll targets met")
    return int(bool(missed))


@contextmanager
def serving(days: Period, rows: int, delay: float) -> Iterator[dict[str, str]]:
    """A sandbox in a process of its own; the settings that lead to it."""
    words = [sys.executable, __file__, "serve", str(days.first), str(rows), str(delay)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.terminate()


def serve_until_killed(first: str, rows: str, delay: str) -> None:
    """What the process of `serving` does."""
    merchant = Merchant.made_up(1, datetime.fromisoformat(first).date(), DAYS)
    with serve(merchant, behaviour=Behaviour(delay=float(delay)), rows=int(rows)) as sandbox:
        keys = {
            "KSPAY_BASE_URL": sandbox.base_url,
            "KSPAY_APP_ID": sandbox.app_id,
            "KSPAY_ACCESS_KEY": sandbox.access_key,
            "KSPAY_SECRET_KEY": sandbox.secret_key,
        }
        print(json.dumps(keys), flush=True)
        sys.stdin.read()


def token(keys: dict[str, str]) -> str:
    """An access token."""
    answer = requests.post(
        f"{keys['KSPAY_BASE_URL']}/auth/generate-token/{keys['KSPAY_APP_ID']}",
        json={"accessKey": keys["KSPAY_ACCESS_KEY"], "secretKey": keys["KSPAY_SECRET_KEY"]},
        timeout=60,
    )
    return str(answer.json()["result"]["accessToken"])


def bare_loop(keys: dict[str, str], days: Period, rows: int, page_size: int) -> float:
    """Seconds of a plain loop over the pages that throws the bodies away."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token(keys)}"
        # The token holds 15 minutes, longer than any round.
        started = time.monotonic()
        for page in range(1, -(-rows // page_size) + 1):
            answer = session.get(
                f"{keys['KSPAY_BASE_URL']}/transaction",
                params={
                    "fromDate": str(days.first),
                    "toDate": str(days.last),
                    "page": str(page),
                    "limit": str(page_size),
                },
                timeout=60,
            )
            assert len(answer.content) > 100, answer.content
        return time.monotonic() - started


@contextmanager
def database(postgres: str) -> Iterator[str]:
    """A new database on the server, dropped at the end."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("create database benchmark"))
    try:
        yield make_url(postgres).set(database="benchmark").render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text("drop database benchmark with (force)"))
        engine.dispose()


def fetched(postgres: str, keys: dict[str, str], days: Period, rows: int, page_size: int) -> Run:
    """`reconcile fetch` of all rows into a new database, checked to be complete."""
    with database(postgres) as url, tempfile.TemporaryDirectory() as folder:
        settings = {"RECONCILE_DATABASE_URL": url, "RECONCILE_PAGE_SIZE": str(page_size)}
        started = time.monotonic()
        process = subprocess.Popen(
            [*PROGRAM, "fetch", "--from", str(days.first), "--to", str(days.last)],
            env={**os.environ, **keys, **settings},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        assert status == 0, status
        engine = create_engine(url)
        with engine.connect() as connection:
            stored = connection.scalar(text("select count(*) from reconcile.transactions"))
            read = connection.scalar(text("select sum(records) from reconcile.fetched_windows"))
        engine.dispose()
    assert stored == rows, stored
    return Run(seconds, float(read or 0) / rows, usage.ru_maxrss / 1024)


def dlt(python: str, postgres: str, keys: dict[str, str], days: Period, rows: int, page_size: int) -> float:
    """Rows a second of dlt's REST source into a new database, without its start-up."""
    with database(postgres) as url, tempfile.TemporaryDirectory() as folder:
        said = subprocess.run(
            [python, str(Path(__file__).with_name("dlt_rest.py"))],
            env={
                "PATH": os.environ["PATH"],
                "HOME": folder,
                "RUNTIME__DLTHUB_TELEMETRY": "false",
                "BASE_URL": keys["KSPAY_BASE_URL"],
                "TOKEN": token(keys),
                "DATABASE": "benchmark",
                "DATABASE_USER": make_url(url).username or "",
                "DATABASE_PASSWORD": make_url(url).password or "",
                "SOCKET": str(make_url(url).query["host"]),
                "FIRST": str(days.first),
                "LAST": str(days.last),
                "PAGE_SIZE": str(page_size),
            },
            cwd=folder,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        engine = create_engine(url)
        with engine.connect() as connection:
            stored = connection.scalar(text("select count(*) from peer.transaction"))
        engine.dispose()
    assert stored == rows, stored
    return rows / float(said.split()[-1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve_until_killed(*sys.argv[2:])
    else:
        sys.exit(main())
