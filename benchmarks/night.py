"""The whole night as a user waits for it: `reconcile run` from the prompt to the files, over HTTP and from a file.

    python benchmarks/night.py --rows 3000 100000 1000000 --rounds 3 --against ../other-checkout

The server is a process of its own with N transactions, random references, 2 % of them wrong in all types; the ledger
is a CSV file in random order. In the variant `same`, no transaction changed after it was created, so the rows do not
show what the date range filters and all are read twice; in `apart`, each changed five days later. Beside the command,
on the same machine and server, stands the least that it all could cost (*bare*): a loop over the same pages that
throws them away, a COPY of the ledger file, a hash FULL JOIN of both tables into a table, and COPY TO of the queries of
discrepancies.csv and matched.csv. `--against` also runs the first night of another checkout, set up in its own .venv,
and compares the files.
Exits with 1 if a target is missed.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

DAYS = 80  # of one window of the fetch
AGO = 20  # the last of them is so many days ago: what changed later did so before today
LATER = {"same": 0, "apart": 5 * 86_400_000}
"""Milliseconds from the creation of a transaction to its last change, by variant."""
NIGHTLY = 10_000
NIGHT_DAYS = 2
HISTORY_DAYS = 85
STAGES = ("ledger", "fetch", "match", "report")
CSV_FILES = ("discrepancies.csv", "resolved.csv", "matched.csv", "summary.csv", "quarantine.csv")
TIMES_BARE, TIMES_BARE_AGAIN, MEBIBYTES, GROWTH, OF_NO_HISTORY = 6, 4, 350, 1.2, 1.5
START = {"--help": 0.3, "runs": 0.8, "show": 0.8}
"""Seconds that these commands may take."""

# Of every thousand numbers, twenty are wrong.
AMOUNT, CURRENCY, UNPAID, ODD, PENDING, LATE, REFUND = (0, 1, 2), 3, 4, 5, 6, 7, 8
NO_ENTRY, EXTRA_ENTRY, FIRST, SECOND, TWICE, BROKEN, SPLIT = (9, 10, 11), (12, 13, 14), 15, 16, 17, 18, 19

BARE_JOIN = """
insert into bare
select t.number as t, e.number as e, t.amount as ours, e.amount as theirs
from transactions as t full join entries as e on t.reference = e.reference
"""


@dataclass(frozen=True)
class Span:
    """Transactions: so many, with numbers from `first_number` on, evenly over these days; `clean`: none wrong."""

    rows: int
    first_number: int
    first_day: date
    days: int
    later: int  # milliseconds
    clean: bool = False

    def kind(self, number: int) -> int:
        """What is wrong with a transaction: one of the constants above, or any other number for nothing."""
        return -1 if self.clean else number % 1000

    @property
    def last_day(self) -> date:
        """The last of the days."""
        return self.first_day + timedelta(days=self.days - 1)

    def words(self) -> list[str]:
        """As arguments of a process."""
        return [
            *map(str, (self.rows, self.first_number, self.first_day, self.days, self.later)),
            "clean" * self.clean,
        ]

    @classmethod
    def of(cls, words: Sequence[str]) -> "Span":
        """From the arguments of a process."""
        rows, first_number, first_day, days, later, clean = words
        numbers = int(rows), int(first_number), date.fromisoformat(first_day), int(days), int(later)
        return cls(*numbers, clean == "clean")


@dataclass(frozen=True)
class Server:
    """A running KS Pay: the settings that lead to it, and its process."""

    keys: dict[str, str]
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Night:
    """One run of the command."""

    seconds: float
    stages: dict[str, float]
    cpu: float  # its own processor seconds, without Postgres
    mebibytes: float  # the largest resident size of any process of it, without Postgres
    server: float  # processor seconds of the server of KS Pay
    pages: int
    folder: Path


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rows", type=int, nargs="*", default=[3_000, 100_000, 1_000_000])
    arguments.add_argument("--variants", nargs="+", choices=LATER, default=list(LATER))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument(
        "--page-size", type=int, help="RECONCILE_PAGE_SIZE; without it, what the command takes"
    )
    arguments.add_argument(
        "--against", type=Path, help="another checkout that is set up: its first night by turns with ours"
    )
    arguments.add_argument(
        "--history", type=int, default=0, help="transactions matched before a night of 10,000"
    )
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="reconcile-bench-") as name:
        # Only now, and in a function: a child begins with the largest size that its parent ever had.
        from reconcile.db.embedded.server import embedded_postgres

        folder = Path(name)
        with embedded_postgres(folder / "home") as postgres:
            bench = Bench(postgres, folder, asked.rounds, asked.page_size, asked.against)
            for variant in asked.variants if asked.rows else ():
                bench.nights(variant, asked.rows)
            bench.commands()
            if asked.history:
                bench.night_after(asked.history)
    print("\nMISSED: " + "; ".join(bench.missed) if bench.missed else "\nAll targets met")
    return int(bool(bench.missed))


class Bench:
    """What is measured, on one Postgres."""

    def __init__(
        self, postgres: str, folder: Path, rounds: int, page_size: int | None, against: Path | None
    ) -> None:
        self.postgres = make_url(postgres)
        self.folder = folder
        self.rounds = rounds
        self.page_size = page_size
        here = Path(__file__).parents[1]
        self.trees = {"ours": here} | ({"theirs": against.resolve()} if against else {})
        for tree in self.trees.values():
            # As an installed wheel is; where bytecode may not be written, each start would compile all of it.
            compiling = [str(tree / ".venv/bin/python"), "-m", "compileall", "-q", str(tree / "reconcile")]
            subprocess.run(compiling, check=True)
        self.missed: list[str] = []

    def nights(self, variant: str, sizes: Sequence[int]) -> None:
        """Whole nights of each size, and each again with nothing changed."""
        last = datetime.now(UTC).date() - timedelta(days=AGO)
        print(f"\n### Variant `{variant}`\n")
        timed = " | ".join(("s", "µs a row", *STAGES, "else", "own CPU, s"))
        print(f"| rows a side | who | night | {timed} | peak, MiB | server, s |")
        print(f"|{'---|' * (9 + len(STAGES))}")
        a_row: dict[int, float] = {}
        for rows in sizes:
            span = Span(rows, 1, last - timedelta(days=DAYS - 1), DAYS, LATER[variant])
            ledger = self.folder / f"ledger-{rows}-{variant}.csv"
            child("ledger", [*span.words(), str(ledger)])
            found: dict[tuple[str, str], list[Night]] = {}
            bares: list[list[float]] = []
            equal = set(CSV_FILES)
            with serving(span) as server:
                for _ in range(self.rounds):
                    first: dict[str, Night] = {}
                    for who, tree in self.trees.items():
                        with self.database(who) as url:
                            for night in ("first", "again") if who == "ours" else ("first",):
                                done = self.night(tree, server, url, span, ledger, f"{who}-{night}")
                                found.setdefault((who, night), []).append(done)
                                first.setdefault(who, done)
                            if who == "ours":
                                pages = done.pages // (2 if variant == "same" else 1)
                                bares.append(self.bare(server, url, span, ledger, pages))
                    if len(first) == 2:
                        ours, theirs = (first[who].folder for who in ("ours", "theirs"))
                        equal -= set(filecmp.cmpfiles(ours, theirs, CSV_FILES, shallow=False)[1])
            ledger.unlink()
            medians = {}
            for (who, night), nights in found.items():
                medians[who, night] = middle(nights)
                print(f"| {rows:,} | {who} | {night} | {row_of(medians[who, night], rows)} |", flush=True)
            parts = [median(part) for part in zip(*bares, strict=True)]
            self.judge(rows, variant, medians, parts, equal)
            a_row[rows] = medians["ours", "first"].seconds / rows
        many = [rows for rows in sizes if rows >= 100_000]
        if len(many) > 1:
            times = a_row[many[-1]] / a_row[many[0]]
            print(f"\n{times:.2f} times the time a row from {many[0]:,} to {many[-1]:,}; target {GROWTH}")
            self.expect(times <= GROWTH, f"growth {times:.2f}")

    def judge(
        self,
        rows: int,
        variant: str,
        medians: dict[tuple[str, str], Night],
        parts: list[float],
        equal: set[str],
    ) -> None:
        """Print and compare with the targets."""
        bare = sum(parts)
        ours, again = medians["ours", "first"], medians["ours", "again"]
        named = ", ".join(
            f"{name} {part:.1f}"
            for name, part in zip(("pages", "COPY", "join", "COPY TO"), parts, strict=True)
        )
        print(
            f"| {rows:,} | bare: {named} | | {bare:.1f} | {bare / rows * 1e6:.0f} | ours is"
            f" {ours.seconds / bare:.1f} × bare, again {again.seconds / bare:.1f} × |"
        )
        if ("theirs", "first") in medians:
            ratio = ours.seconds / medians["theirs", "first"].seconds
            same = "all CSV files equal" if equal == set(CSV_FILES) else f"equal: {', '.join(sorted(equal))}"
            print(f"| {rows:,} | ours / theirs | first | {ratio:.2f} | | {same} |", flush=True)
        if rows >= 1_000_000:
            self.expect(ours.seconds <= TIMES_BARE * bare, f"{variant}: {ours.seconds / bare:.1f} × bare")
            self.expect(
                again.seconds <= TIMES_BARE_AGAIN * bare,
                f"{variant}: again {again.seconds / bare:.1f} × bare",
            )
        self.expect(ours.mebibytes <= MEBIBYTES, f"{variant}, {rows:,}: {ours.mebibytes:.0f} MiB")

    def commands(self) -> None:
        """What a user waits for before anything happens."""
        print(f"\n| command | {' | '.join(f'{who}, s' for who in self.trees)} | target |")
        print(f"|{'---|' * (2 + len(self.trees))}")
        least: dict[str, dict[str, float]] = {command: {} for command in START}
        for who, tree in self.trees.items():
            # A database each: another checkout may have another schema.
            with self.database(f"commands_{who}") as url:
                run_id = self.small_run(tree, url)
                for command in START:
                    words = [command] if command != "show" else ["show", run_id]
                    least[command][who] = min(
                        self.command(tree, words, {"RECONCILE_DATABASE_URL": url})[0]
                        for _ in range(max(3, self.rounds))
                    )
        for command, most in START.items():
            print(f"| {command} | {' | '.join(f'{one:.2f}' for one in least[command].values())} | {most} |")
            self.expect(least[command]["ours"] <= most, f"{command} {least[command]['ours']:.2f} s")

    def small_run(self, tree: Path, url: str) -> str:
        """A run of a hundred, to be shown; its id."""
        span = Span(100, 1, datetime.now(UTC).date() - timedelta(days=AGO + DAYS), DAYS, 0)
        ledger = self.folder / "small.csv"
        child("ledger", [*span.words(), str(ledger)])
        with serving(span) as server:
            night = self.night(tree, server, url, span, ledger, "small")
        return str(json.loads((night.folder / "run.json").read_text("utf-8"))["run_id"])

    def night_after(self, history: int) -> None:
        """10,000 new on top of so many matched ones, and of none."""
        last = datetime.now(UTC).date() - timedelta(days=AGO)
        span = Span(NIGHTLY, history + 1, last - timedelta(days=NIGHT_DAYS - 1), NIGHT_DAYS, 0)
        ledger = self.folder / "night.csv"
        child("ledger", [*span.words(), str(ledger)])
        taken = {}
        print(f"\n| matched before, a side | night of {NIGHTLY:,}, s | {' | '.join(STAGES)} |")
        print(f"|{'---|' * (2 + len(STAGES))}")
        for rows in (0, history):
            with self.database("history") as url:
                if rows:
                    end = span.first_day - timedelta(days=4)
                    days = max(HISTORY_DAYS, rows * NIGHT_DAYS // NIGHTLY)  # as many a day as in the night
                    begin = end - timedelta(days=days - 1)
                    past = Span(rows, 1, begin, days, LATER["apart"], clean=True)
                    old = self.folder / "history.csv"
                    child("ledger", [*past.words(), str(old)])
                    with serving(past) as server:
                        self.night(self.trees["ours"], server, url, past, old, "history")
                    old.unlink()
                with serving(span) as server:
                    # Only the first night has anything new.
                    done = self.night(self.trees["ours"], server, url, span, ledger, "night")
            taken[rows] = done.seconds
            stages = " | ".join(f"{done.stages.get(stage, 0):.2f}" for stage in STAGES)
            print(f"| {rows:,} | {done.seconds:.2f} | {stages} |", flush=True)
        times = taken[history] / taken[0]
        print(f"\n{times:.2f} times the time without history; target {OF_NO_HISTORY}")
        self.expect(times <= OF_NO_HISTORY, f"history {times:.2f}")

    def expect(self, good: bool, words: str) -> None:
        """Note a target that is missed."""
        if not good:
            self.missed.append(words)

    def night(self, tree: Path, server: Server, url: str, span: Span, ledger: Path, name: str) -> Night:
        """`reconcile run` over the days of a span."""
        out = self.folder / "out" / name
        settings = {**server.keys, "RECONCILE_DATABASE_URL": url, "RECONCILE_TIMEZONE": "UTC"}
        if self.page_size:
            settings["RECONCILE_PAGE_SIZE"] = str(self.page_size)
        words = ["run", "--from", str(span.first_day), "--to", str(span.last_day)]
        before = server.cpu()
        seconds, cpu, mebibytes = self.command(
            tree, [*words, "--ledger", str(ledger), "--out", str(out)], settings
        )
        run = json.loads((out / "latest" / "run.json").read_text("utf-8"))
        listed = sum(one["records"] for one in run["fetched"])
        assert listed >= span.rows, run["fetched"]
        if span.rows >= 100_000 and not span.clean:
            assert len(run["discrepancies"]) >= 12, run["discrepancies"]
        return Night(
            seconds=seconds,
            stages=run["seconds"],
            cpu=cpu,
            mebibytes=mebibytes,
            server=server.cpu() - before,
            pages=sum(one["pages"] for one in run["fetched"]),
            folder=(out / "latest").resolve(),
        )

    def command(
        self, tree: Path, words: Sequence[str], settings: dict[str, str]
    ) -> tuple[float, float, float]:
        """Seconds, processor seconds and MiB of a command of a checkout."""
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
            started = time.monotonic()
            process = subprocess.Popen(
                [tree / ".venv" / "bin" / "reconcile", *words],
                env={**os.environ, **settings},
                cwd=folder,
                stdout=said,
                stderr=said,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            if status:
                said.seek(0)
                raise SystemExit(
                    f"{' '.join(words)}: exit {process.returncode}\n{said.read().decode()[-2000:]}"
                )
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

    def bare(self, server: Server, url: str, span: Span, ledger: Path, pages: int) -> list[float]:
        """Seconds of the least that pages, file, join and files could cost."""
        said = child("bare", [*span.words(), url, str(ledger), str(pages), json.dumps(server.keys)])
        return [float(word) for word in said.split()]

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """A new database, dropped at the end."""
        engine = create_engine(self.postgres, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"create database {name}"))
        try:
            yield self.postgres.set(database=name).render_as_string(hide_password=False)
        finally:
            with engine.connect() as connection:
                connection.execute(text(f"drop database {name} with (force)"))
                connection.execute(text("checkpoint"))
            engine.dispose()


def middle(nights: Sequence[Night]) -> Night:
    """The night of the median seconds, with the largest memory of all."""
    chosen = sorted(nights, key=lambda night: night.seconds)[(len(nights) - 1) // 2]
    return Night(
        chosen.seconds,
        chosen.stages,
        chosen.cpu,
        max(night.mebibytes for night in nights),
        chosen.server,
        chosen.pages,
        chosen.folder,
    )


def row_of(night: Night, rows: int) -> str:
    """Its cells of the table."""
    stages = [night.stages.get(stage, 0.0) for stage in STAGES]
    cells = [f"{night.seconds:.1f}", f"{night.seconds / rows * 1e6:.0f}", *(f"{one:.1f}" for one in stages)]
    cells += [f"{night.seconds - sum(stages):.1f}", f"{night.cpu:.1f}"]
    return " | ".join([*cells, f"{night.mebibytes:.0f}", f"{night.server:.1f}"])


# What child processes do, so that this one stays small: a child's largest size begins with its parent's.


def child(role: str, words: Sequence[str]) -> str:
    """Run this file in a role; what it printed."""
    return subprocess.run(
        [sys.executable, __file__, role, *words], stdout=subprocess.PIPE, check=True, text=True
    ).stdout


@contextmanager
def serving(span: Span) -> Iterator[Server]:
    """A server of these transactions, in a process of its own."""
    words = [sys.executable, __file__, "serve", *span.words()]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Server(json.loads(process.stdout.readline()), process.pid)
        finally:
            process.terminate()


def reference(number: int) -> int:
    """The nine digits of a reference: no order of time or of files is theirs."""
    return number * 618_033_989 % 10**9


def amount(number: int) -> tuple[int, int]:
    """In major and minor units, as the server writes it."""
    return number * 7919 % 9900 + 100, number * 31 % 90 + 10


def serve(span: Span) -> None:
    """Serve until killed."""
    from reconcile.sandbox import bulk, server
    from reconcile.sandbox.behaviour import Behaviour
    from reconcile.sandbox.merchant import Merchant

    class Rows(bulk.Bulk):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            shop = arguments[0]
            self._plain = [bulk._template(shop, "paid", number) for number in range(4)]
            word = json.loads(self._plain[0])["status"].encode()
            self._marked = {
                ODD: self._plain[0].replace(b'"status":"%s"' % word, b'"status":"ON_HOLD"'),
                PENDING: self._plain[0].replace(b'"status":"%s"' % word, b'"status":"PENDING"'),
            }

        def _body(self, number: int) -> bytes:
            created = self._start + number * self._length // self._count
            number += span.first_number
            kind = span.kind(number)
            told = number - 1 if kind == SECOND else number
            major, minor = amount(told)
            return (self._marked.get(kind) or self._plain[number % 4]) % {
                b"id": (number * bulk._SPREAD + self._seed) % bulk.IDS,
                b"number": reference(told),
                b"major": major,
                b"minor": minor,
                b"created": bulk._wire(created),
                b"updated": bulk._wire(created + span.later),
            }

    server.Bulk = Rows  # type: ignore[attr-defined, assignment]
    merchant = Merchant.made_up(1, span.first_day, span.days)
    # One app, whatever span of its transactions is served: it is as old as the oldest.
    created_on = span.first_day - timedelta(days=2 * HISTORY_DAYS)
    # KS Pay's largest page is not known; the command asks for 1,000 where more than 100 are given.
    behaviour = Behaviour(created_on=created_on, max_limit=1_000)
    with server.serve(merchant, behaviour=behaviour, rows=span.rows) as sandbox:
        keys = {
            "KSPAY_BASE_URL": sandbox.base_url,
            "KSPAY_APP_ID": sandbox.app_id,
            "KSPAY_ACCESS_KEY": sandbox.access_key,
            "KSPAY_SECRET_KEY": sandbox.secret_key,
        }
        print(json.dumps(keys), flush=True)
        sys.stdin.read()


def write_ledger(span: Span, path: Path) -> None:
    """The merchant's ledger in random order."""
    order = list(range(span.rows))
    Random(1).shuffle(order)  # noqa: S311  no secret, but the same each time
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("ledger_id,reference,amount,currency,date,status,description\n")
        for place in order:
            number = span.first_number + place
            day = span.first_day + timedelta(days=place * span.days // span.rows)
            for entry_id, ref, value, currency, on, status in entries(number, span.kind(number), day):
                file.write(f"{entry_id},{ref},{value},{currency},{on},{status},Order {number % 97}\n")


def entries(number: int, kind: int, day: date) -> Iterator[tuple[str, str, str, str, date, str]]:
    """What the ledger holds for a transaction: id, reference, amount, currency, day, status."""
    ref = f"ORD-{reference(number)}"
    major, minor = amount(number)
    value, currency, status = f"{major + (kind in AMOUNT)}.{minor}", "INR", "paid"
    if kind == CURRENCY:
        currency = "USD"
    elif kind == UNPAID:
        status = "unpaid"
    elif kind == LATE:
        day += timedelta(days=10)
    elif kind == REFUND:
        yield f"R{number}", ref, f"-{value}", currency, day, "refunded"
    elif kind in EXTRA_ENTRY:
        yield f"X{number}", f"X-{ref}", value, currency, day, status
    elif kind == TWICE:
        yield f"T{number}", ref, value, currency, day, status
    elif kind == BROKEN:
        value = "x"
    elif kind == SPLIT:
        yield f"S{number}", ref, "50.00", currency, day, status
        value = f"{major - 50}.{minor}"
    if kind not in (*NO_ENTRY, PENDING, SECOND):
        yield f"L{number}", ref, value, currency, day, status


def bare(span: Span, url: str, ledger: Path, pages: int, keys: dict[str, str]) -> list[float]:
    """Seconds of each part."""
    from match import copy_in, copy_out  # the other benchmark, which imports much

    from reconcile.core.progress import silent
    from reconcile.core.records import Period
    from reconcile.db import runs
    from reconcile.db.engine import open_store
    from reconcile.db.sql_files import read_sql
    from reconcile.match.engine import match
    from reconcile.report.matched_csv import state_digits
    from reconcile.settings import Settings

    taken = [bare_loop(span, pages, keys)]
    os.environ |= {**keys, "RECONCILE_DATABASE_URL": url, "RECONCILE_TIMEZONE": "UTC"}
    settings = Settings.read()
    app_ids = (keys["KSPAY_APP_ID"],)
    with open_store(settings) as engine, engine.connect() as connection:
        header = ledger.open(encoding="utf-8").readline().strip()
        columns = ", ".join(f'"{name}" text' for name in header.split(","))
        connection.execute(text(f"create table bare_ledger ({columns})"))
        connection.commit()
        started = time.monotonic()
        copy_in(connection, "copy bare_ledger from stdin (format csv, header)", ledger)
        connection.commit()
        taken.append(time.monotonic() - started)
        connection.execute(text("create table bare (t bigint, e bigint, ours numeric, theirs numeric)"))
        connection.commit()
        started = time.monotonic()
        for join in ("nestloop", "mergejoin"):
            connection.execute(text(f"set local enable_{join} = off"))
        connection.execute(text("set local work_mem = '64MB'"))
        connection.execute(text(BARE_JOIN))
        connection.commit()
        taken.append(time.monotonic() - started)
        period = Period(span.first_day, span.last_day)
        run_id = runs.start(engine, "run", app_ids, period, None)
        match(connection, settings, run_id, app_ids, period, silent)
        state_digits(connection, settings.currencies)
        started = time.monotonic()
        for name in ("discrepancies", "matched"):
            copy_out(connection, read_sql(f"report/{name}"), ledger.with_suffix(".out"))
        taken.append(time.monotonic() - started)
        connection.rollback()
    return taken


def bare_loop(span: Span, pages: int, keys: dict[str, str]) -> float:
    """Seconds of a plain loop over so many pages that throws the bodies away."""
    size = -(-span.rows // max(1, pages - 1))
    size = next((known for known in (100, 500, 1000) if size <= known), size)
    with requests.Session() as session:
        answer = session.post(
            f"{keys['KSPAY_BASE_URL']}/auth/generate-token/{keys['KSPAY_APP_ID']}",
            json={"accessKey": keys["KSPAY_ACCESS_KEY"], "secretKey": keys["KSPAY_SECRET_KEY"]},
            timeout=60,
        )
        session.headers["Authorization"] = f"Bearer {answer.json()['result']['accessToken']}"
        started = time.monotonic()
        for page in range(1, -(-span.rows // size) + 1):
            days = {"fromDate": str(span.first_day), "toDate": str(span.last_day)}
            answer = session.get(
                f"{keys['KSPAY_BASE_URL']}/transaction",
                params={**days, "page": str(page), "limit": str(size)},
                timeout=60,
            )
            assert len(answer.content) > 100, answer.content
        return time.monotonic() - started


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *words]:
            serve(Span.of(words))
        case ["ledger", *words, path]:
            write_ledger(Span.of(words), Path(path))
        case ["bare", *words, url, path, pages, keys]:
            print(*bare(Span.of(words), url, Path(path), int(pages), json.loads(keys)))
        case _:
            sys.exit(main())
