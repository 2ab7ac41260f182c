"""Matching: a million transactions against a million entries, and a night on top of a long history.

    python benchmarks/match.py --settleflow PYTHON --datacompy PYTHON

Counted is from loaded tables to persisted matches and discrepancies, and, apart, with the outcomes and every check of
the result, committed. Beside it, by turns on the same server: a bare hash FULL JOIN of the two tables by reference
into a table that is there, committed; and the programs of others, each in an environment of its own (settleflow 0.7.6,
datacompy 1.1.0), which get both tables by COPY as CSV files, read them, compare, and have what they found copied into
a table. Exits with 1 if a target is missed: at most 4 times the bare join, half of settleflow's time, datacompy's
time; a night of 10,000 in at most 1.5 times the time that it takes without history; time per record at most a fifth
more at the most rows than at a twentieth of them; 300 MiB for our process.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from sqlalchemy import Connection, Engine, column, create_engine, func, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.engine import make_url

from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.embedded.server import embedded_postgres
from reconcile.db.engine import open_store
from reconcile.db.partition import partition
from reconcile.load.staging_tables import staging_tables
from reconcile.match.engine import Matched, match
from reconcile.settings import Settings

APP = "ap_bench"
LAST = date(2026, 8, 31)
DAYS = 119  # no divisor of a thousand: every kind of record falls on every day
PERIOD = Period(LAST - timedelta(days=DAYS - 1), LAST)
NIGHT_DAYS = 2
NIGHT = Period(LAST - timedelta(days=NIGHT_DAYS - 1), LAST)
NIGHTLY = 10_000
HISTORY_DAYS = 730
CLEANEST = 50  # of a thousand, those from here on agree in all
TIMES_JOIN, OF_SETTLEFLOW, OF_DATACOMPY, OF_NO_HISTORY, GROWTH, MEBIBYTES = 4, 0.5, 1, 1.5, 1.2, 300

# Of every thousand: ten amounts differ by one; the others each make one type of discrepancy, or two.
TRANSACTIONS = """
insert into {table} (
    app_id, transaction_id, reference, comparable, currency, amount, status, created_at, updated_at{more}
)
select
    :app, 'tx_' || i, 'ORD-' || r, 'ord' || r, 'INR', 100 + i % 90000,
    case i % 1000 when 11 then 'success' when 13 then 'odd' when 14 then 'pending' else 'success' end,
    at, at{values}
from (
    select
        i,
        case i % 1000 when 30 then i - 1 else i end as r,
        cast(:last as date) + time '12:00' at time zone 'UTC' - i % cast(:days as integer) * interval '1 day' as at
    from generate_series(cast(:first as integer), cast(:until as integer)) as i
) as made
where i % 1000 not between 20 and 24 and i % 1000 >= :cleanest
"""
ENTRIES = """
insert into {table} (app_id, source, ledger_id, reference, comparable, currency, amount, status, dated_on{more})
select
    :app, 'default', 'L' || i, 'ORD-' || r, 'ord' || r, case i % 1000 when 10 then 'USD' else 'INR' end,
    100 + i % 90000 + case when i % 1000 < 10 then 1 else 0 end,
    case i % 1000 when 11 then 'unpaid' else 'paid' end,
    cast(:last as date) - i % cast(:days as integer) - case i % 1000 when 12 then 10 else 0 end{values}
from (
    select i, case i % 1000 when 40 then i + 1 else i end as r
    from generate_series(cast(:first as integer), cast(:until as integer)) as i
) as made
where i % 1000 not between 14 and 19 and i % 1000 not in (27, 30) and i % 1000 >= :cleanest
"""
BROKEN = """
insert into quarantine (
    app_id, side, source, record_id, content, file, row_number, field, value, reason, raw, currency, dated_on
)
select
    :app, 'ledger', 'default', 'L' || i, '', '', i, 'amount', 'x', 'is no number', '', 'INR',
    cast(:last as date) - i % cast(:days as integer)
from generate_series(cast(:first as integer), cast(:until as integer)) as i
where i % 1000 = 27 and i % 1000 >= :cleanest
"""
BARE = """
insert into bare
select t.number as t, e.number as e, t.amount as ours, e.amount as theirs
from transactions as t full join entries as e on t.reference = e.reference
"""
PEER_ROWS = {
    "kspay": "select reference, currency, amount, (amount * 100)::bigint as minor, status as family,"
    " (created_at at time zone 'UTC')::date as day from transactions",
    "ledger": "select reference, currency, amount, (amount * 100)::bigint as minor,"
    " replace(status, 'paid', 'success') as family, dated_on as day from entries",
}


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--most", type=int, default=2_000_000, help="rows for the growth")
    arguments.add_argument("--history", type=int, default=5_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument(
        "--apps",
        type=int,
        help="instead: this many apps of --rows in whole tables, in ones by app, and in ones by app and month",
    )
    arguments.add_argument("--settleflow", help="the Python of an environment that has it")
    arguments.add_argument("--datacompy", help="likewise")
    asked = arguments.parse_args()
    peers = {name: python for name in ("settleflow", "datacompy") if (python := getattr(asked, name))}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reconcile-bench-")))
        bench = Bench(stack.enter_context(embedded_postgres(folder / "home")), folder, asked.rounds)
        if asked.apps:
            bench.divided(asked.apps, asked.rows)
            return 0
        good = [bench.against_others(asked.rows, peers)]
        if asked.most:
            good.append(bench.growth(asked.most))
        if asked.history:
            good.append(bench.night(asked.history))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nmost memory of our process: {peak:.0f} MiB")
    met = all(good) and peak <= MEBIBYTES
    print("every target is met" if met else "a target is missed")
    return int(not met)


class Bench:
    """Databases on one server."""

    def __init__(self, url: str, folder: Path, rounds: int) -> None:
        self.url = make_url(url)
        self.folder = folder
        self.rounds = rounds

    def store(self, name: str) -> tuple[Settings, ExitStack, Engine]:
        """An empty database of this name, its settings; the stack removes it."""
        stack = ExitStack()
        server = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text(f"create database {name}"))
        settings = Settings(
            database_url=self.url.set(database=name).render_as_string(hide_password=False), app_ids=(APP,)
        )

        def drop() -> None:
            with server.connect() as connection:
                connection.execute(text(f"drop database {name} with (force)"))
            server.dispose()

        stack.callback(drop)
        return settings, stack, stack.enter_context(open_store(settings))

    def against_others(self, rows: int, peers: dict[str, str]) -> bool:
        """The stage, the bare join and the others by turns."""
        joins, ours, proven = [], [], []
        theirs: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
        memory: dict[str, float] = {}
        for number in range(self.rounds):
            settings, stack, engine = self.store(f"others_{number}")
            with stack:
                fill(engine, rows)
                joins.append(bare_join(engine))
                took, matched = matching(engine, settings, PERIOD)
                ours.append(took.persisted)
                proven.append(took.proven)
                for name, python in peers.items():
                    whole, alone, memory[name] = peer(engine, self.folder, python, name)
                    theirs[name].append((whole, alone))
        assert rows < 200_000 or len(matched.discrepancies) == 12, matched.discrepancies
        join, own = median(joins), median(ours)
        print(f"\n{rows:,} a side, {len(matched.discrepancies)} types of discrepancy,", end=" ")
        print(f"{sum(matched.discrepancies.values()):,} discrepancies\n")
        print("| | seconds | ours of it | target | in memory alone, s | memory, MiB |")
        print("|---|---|---|---|---|---|")
        print(f"| ours, persisted | {own:.1f} | 1 | | | |")
        print(f"| ours, with outcomes and every check | {median(proven):.1f} | | | | |")
        print(f"| bare FULL JOIN | {join:.2f} | {own / join:.2f} | {TIMES_JOIN} | | |")
        good = own <= TIMES_JOIN * join
        for name, target in (("settleflow", OF_SETTLEFLOW), ("datacompy", OF_DATACOMPY)):
            if name in peers:
                whole, alone = (median(times) for times in zip(*theirs[name], strict=True))
                print(
                    f"| {name} | {whole:.1f} | {own / whole:.2f} | {target} | {alone:.1f} | {memory[name]:.0f} |"
                )
                good = good and own <= target * whole
        return good

    def growth(self, most: int) -> bool:
        """Time per record at a twentieth of the rows and at all of them."""
        few = most // 20
        times: dict[int, list[float]] = {few: [], most: []}
        for number in range(self.rounds):
            for rows, taken in times.items():
                settings, stack, engine = self.store(f"growth_{rows}_{number}")
                with stack:
                    fill(engine, rows)
                    taken.append(matching(engine, settings, PERIOD)[0].proven)
        one, all_of_them = (median(taken) / rows * 1e6 for rows, taken in times.items())
        print(
            f"\n| rows a side | µs a row |\n|---|---|\n| {few:,} | {one:.1f} |\n| {most:,} | {all_of_them:.1f} |"
        )
        print(f"\n{all_of_them / one:.2f} times the time per record; target {GROWTH}")
        return all_of_them <= GROWTH * one

    def night(self, history: int) -> bool:
        """A night of new records, on top of matched ones of the days before and of none."""
        medians = []
        print("\n| matched before, a side | night of 10,000, s |\n|---|---|")
        for rows in (0, history):
            settings, stack, engine = self.store(f"night_{rows}")
            with stack:
                until = rows * 1000 // (1000 - CLEANEST)
                fill(engine, until, HISTORY_DAYS, NIGHT.first - timedelta(days=1), CLEANEST)
                before = Period(NIGHT.first - timedelta(days=HISTORY_DAYS), NIGHT.first - timedelta(days=1))
                matching(engine, settings, before)
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("vacuum analyze"))
                fill(engine, until + NIGHTLY, NIGHT_DAYS, first=until + 1)
                taken = [matching(engine, settings, NIGHT, keep=False)[0].proven for _ in range(self.rounds)]
            medians.append(median(taken))
            print(f"| {rows:,} | {medians[-1]:.2f} |")
        print(f"\n{medians[1] / medians[0]:.2f} times the time without history; target {OF_NO_HISTORY}")
        return medians[1] <= OF_NO_HISTORY * medians[0]

    def divided(self, apps: int, rows: int) -> None:
        """The matching of the last of several apps with years of history, in whole tables and in divided ones, by
        turns: first, again, and what a night brings."""
        names = [f"ap_{number:02}" for number in range(apps)]
        kinds: dict[str, bool | None] = {"whole": None, "by app": False, "by app and month": True}
        took: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in kinds}
        spent: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(self.rounds):
            for kind, months in kinds.items():
                settings, stack, engine = self.store(f"{kind.replace(' ', '_')}_{number}")
                with stack:
                    for name in names:
                        fill(engine, rows, HISTORY_DAYS, app=name)
                    started = perf_counter()
                    if months is not None:
                        partition(engine, names, months=months)
                    spent[kind].append(perf_counter() - started)
                    for name in names[:-1]:
                        matching(engine, settings, PERIOD, app=name)
                    marks = [self.server_seconds(engine)]
                    for _ in range(2):
                        matching(engine, settings, PERIOD, app=names[-1])
                        marks.append(self.server_seconds(engine))
                    fill(engine, rows + NIGHTLY // 2, NIGHT_DAYS, first=rows + 1, app=names[-1])
                    marks.append(self.server_seconds(engine))
                    matching(engine, settings, NIGHT, app=names[-1])
                    marks.append(self.server_seconds(engine))
                    took[kind].append(tuple(after - before for before, after in pairwise(marks)))
        print(
            f"\n{apps} apps of {rows:,} a side, {HISTORY_DAYS} days. Processor seconds of the server, for the last\n"
        )
        print(
            f"| tables | matched first | again | {NIGHTLY // 2:,} more a side taken in | and matched | divided in, s |"
        )
        print("|---|---|---|---|---|---|")
        for kind, taken in took.items():
            cells = [f"{median(one):.2f}" for one in zip(*taken, strict=True)]
            print(f"| {kind} | {' | '.join(cells)} | {median(spent[kind]):.1f} |")

    def server_seconds(self, engine: Engine) -> float:
        """Processor time of the server's processes that have ended: of every connection, since all are closed."""
        engine.dispose()
        pid = int(next((self.folder / "home").rglob("postmaster.pid")).read_text("utf-8").split()[0])
        ticks, before = 0, -1
        while ticks != before:  # the last of them may be ending
            sleep(0.3)
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            ticks, before = int(fields[13]) + int(fields[14]), ticks
        return ticks / os.sysconf("SC_CLK_TCK")


def fill(
    engine: Engine,
    until: int,
    days: int = DAYS,
    last: date = LAST,
    cleanest: int = 0,
    first: int = 1,
    app: str = APP,
) -> None:
    """Records taken in by the loader, as after a fetch and an import; of each thousand those from the `cleanest` on."""
    values = {"app": app, "first": first, "until": until, "last": last, "days": days, "cleanest": cleanest}
    for table, statement in (("transactions", TRANSACTIONS), ("entries", ENTRIES)):
        with staging_tables(engine) as tables:
            staged = statement.format(table=f"staged_{table}", more=", file, row_number", values=", '', 1")
            tables._connection.execute(text(staged), values)
            if table == "transactions":
                tables.take_in_transactions(app, [Period(last - timedelta(days=days - 1), last)])
            else:
                tables.take_in_entries([app], "default", "ledger.csv", sha256="")
    with engine.begin() as connection:
        for table in ("transactions", "entries"):
            # The first who reads new rows marks each as committed: that is neither ours nor the bare join's.
            connection.execute(select(func.sum(column("number"))).select_from(sql_table(table)))
        connection.execute(text(BROKEN), values)


@dataclass(frozen=True)
class Took:
    """Seconds until matches and discrepancies were written, and until all was checked and committed."""

    persisted: float
    proven: float


def matching(
    engine: Engine, settings: Settings, period: Period, *, keep: bool = True, app: str = APP
) -> tuple[Took, Matched]:
    """How long the stage took, and what it found."""
    run_id = runs.start(engine, "run", (app,), period, None)
    marks = {}

    def progress(_stage: str, step: str, _part: float | None) -> None:
        marks[step] = perf_counter()

    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        started = perf_counter()
        matched = match(connection, settings, run_id, (app,), period, progress)
        done = perf_counter()
        if keep:
            connection.commit()
        else:
            connection.rollback()
        ended = perf_counter()
    # The commit belongs to both.
    return Took(marks["outcomes"] - started + ended - done, ended - started), matched


def bare_join(engine: Engine) -> float:
    """Seconds of the least that Postgres could do."""
    with engine.connect() as connection:
        connection.execute(text("create table bare (t bigint, e bigint, ours numeric, theirs numeric)"))
        connection.commit()
        started = perf_counter()
        for join in ("nestloop", "mergejoin"):
            connection.execute(text(f"set local enable_{join} = off"))
        connection.execute(text("set local work_mem = '64MB'"))
        connection.execute(text(BARE))
        connection.commit()
        seconds = perf_counter() - started
        connection.execute(text("drop table bare"))
        connection.commit()
        return seconds


def copy_out(connection: Connection, query: str, path: Path) -> None:
    """COPY TO a file of ours."""
    driver = connection.connection.driver_connection
    assert driver is not None
    copying = f"copy ({query}) to stdout with (format csv, header)"
    with path.open("wb") as file, driver.cursor() as cursor, cursor.copy(copying) as rows:
        for block in rows:
            file.write(block)


def copy_in(connection: Connection, statement: str, path: Path) -> None:
    """COPY FROM a file of ours."""
    driver = connection.connection.driver_connection
    assert driver is not None
    with path.open("rb") as file, driver.cursor() as cursor, cursor.copy(statement) as rows:
        while block := file.read(1 << 20):
            rows.write(block)


def peer(engine: Engine, folder: Path, python: str, name: str) -> tuple[float, float, float]:
    """Seconds of the whole job and of the comparison alone, and MiB, of another program."""
    program = Path(__file__).with_name("match_peers.py")
    found = folder / "found.csv"
    with engine.connect() as connection:
        connection.execute(text("create table found (ours text, theirs text, what text)"))
        connection.commit()
        started = perf_counter()
        files = []
        for side, query in PEER_ROWS.items():
            files.append(folder / f"{side}.csv")
            copy_out(connection, query, files[-1])
        copied = perf_counter() - started
        done = subprocess.run(
            [python, program, name, *files, found], check=True, capture_output=True, text=True
        )
        reading, alone, writing, mebibytes = map(float, done.stdout.split()[-4:])
        started = perf_counter()
        copy_in(connection, "copy found from stdin (format csv)", found)
        connection.commit()
        copied += perf_counter() - started
        connection.execute(text("drop table found"))
        connection.commit()
    return copied + reading + alone + writing, alone, mebibytes


if __name__ == "__main__":
    sys.exit(main())
