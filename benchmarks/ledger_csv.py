"""Import, validation and upsert of a CSV ledger against a bare COPY of the same file into the same Postgres.

    python benchmarks/ledger_csv.py --rows 1000000 --rounds 3

Exits with 1 if a target is missed: at most 10 times the bare COPY, 400 MiB for the whole process, and
validation at most as long as everything else of the import.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from reconcile.db.embedded.server import embedded_postgres

COLUMNS = {
    "ledger_id": "text",
    "reference": "text",
    "amount": "numeric",
    "date": "date",
    "currency": "text",
    "status": "text",
    "transaction_id": "text",
    "provider_order_id": "text",
    "provider_txn_id": "text",
    "description": "text",
}

TIMES_COPY = 10
MEBIBYTES = 400

PROGRAM = (sys.executable, "-c", "from reconcile.cli.main import main; main()")
# The command once more, with the time that its suites take told at the end.
TIMED = """
import atexit, sys, time
from reconcile.load.staging_tables import StagingTables
from reconcile.validate.validator import Validator
spent = 0.0
def timed(work):
    def timing(*arguments):
        global spent
        started = time.monotonic()
        try:
            return work(*arguments)
        finally:
            spent += time.monotonic() - started
    return timing
StagingTables.judge = timed(StagingTables.judge)
Validator.validate_subjects = timed(Validator.validate_subjects)
atexit.register(lambda: print(f"spent {spent}", file=sys.stderr))
from reconcile.cli.main import main
main()
"""


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    wanted = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        embedded_postgres(Path(folder) / "home") as postgres,
    ):
        file = Path(folder) / "ledger.csv"
        write_ledger(file, wanted.rows)
        print(f"{wanted.rows:,} entries, {file.stat().st_size / 2**20:.0f} MiB\n")
        print(
            "| round | bare COPY | import | of COPY | of it validation | the same again | corrected | peak |"
        )
        print("|---|---|---|---|---|---|---|---|")
        ratios, shares, peaks = [], [], []
        for number in range(1, wanted.rounds + 1):
            url = new_database(postgres, f"round_{number}")
            copied = copy_bare(url, file)
            first, spent, peak = imported(url, file, (sys.executable, "-c", TIMED))
            again, _, peak_again = imported(url, file, PROGRAM)
            corrected = Path(folder) / "corrected.csv"
            write_ledger(corrected, wanted.rows, more=1)
            changed, _, peak_changed = imported(url, corrected, PROGRAM)
            ratios.append(first / copied)
            shares.append(spent / (first - spent))
            peaks.append(max(peak, peak_again, peak_changed))
            print(
                f"| {number} | {copied:.1f} s | {first:.1f} s | {ratios[-1]:.1f} | {spent:.1f} s | {again:.1f} s | "
                f"{changed:.1f} s | {peaks[-1]:.0f} MiB |",
                flush=True,
            )
    missed = [
        f"{what}: {found:.1f}, at most {most} wanted"
        for what, found, most in (
            ("times the bare COPY", median(ratios), TIMES_COPY),
            ("validation over all else", median(shares), 1),
            ("MiB", max(peaks), MEBIBYTES),
        )
        if found > most
    ]
    for line in missed:
        print(f"\nmissed: {line}")
    return 1 if missed else 0


def write_ledger(path: Path, rows: int, more: int = 0) -> None:
    """A shop's export of 120 days with the ids of KS Pay and of the provider, as its payments came in; with `more`,
    the amounts of every tenth entry are higher by it."""
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(COLUMNS) + "\n")
        for number in range(rows):
            day = f"2026-{number % 4 + 5:02}-{number % 28 + 1:02}"
            amount = number % 90_000 + 100 + (more if number % 10 == 0 else 0)
            file.write(
                f"V-{number:07},ORD-{number:07},{amount}.{number % 100:02},{day},INR,paid,"
                f"tx_{number * 7919 % 1_000_003:010},order_{number:010},pay_{number:010},order {number}\n"
            )


def new_database(postgres: str, name: str) -> str:
    """A new, empty database; its URL."""
    engine = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
    engine.dispose()
    return make_url(postgres).set(database=name).render_as_string(hide_password=False)


def copy_bare(url: str, path: Path) -> float:
    """Seconds of a COPY of the file, committed, into a typed table without any index.

    The table was there before, as one that is used is: into one that its own transaction makes, Postgres writes
    without a log.
    """
    engine = create_engine(url)
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with engine.begin() as connection:
        connection.execute(text(f"create table bare ({columns})"))
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        started = time.monotonic()
        statement = "copy bare from stdin (format csv, header)"
        with path.open("rb") as file, driver.cursor() as cursor, cursor.copy(statement) as copy:
            while block := file.read(1 << 20):
                copy.write(block)
    seconds = time.monotonic() - started
    with engine.begin() as connection:
        connection.execute(text("drop table bare"))
    engine.dispose()
    return seconds


def imported(url: str, path: Path, program: Sequence[str]) -> tuple[float, float, float]:
    """The command from start to end: seconds, those of its validation if it tells, and peak MiB."""
    environment = {"PATH": os.environ["PATH"], "RECONCILE_DATABASE_URL": url, "KSPAY_APP_ID": "ap_benchmark"}
    with tempfile.TemporaryDirectory(prefix="benchmark-home-") as home, tempfile.TemporaryFile() as told:
        environment["HOME"] = home
        started = time.monotonic()
        process = subprocess.Popen(
            [*program, "ledger", "import", str(path)], cwd=home, env=environment, stdout=told, stderr=told
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        told.seek(0)
        lines = told.read().decode().splitlines()
    assert process.returncode == 0, lines
    spent = [float(line.split()[1]) for line in lines if line.startswith("spent ")]
    return seconds, sum(spent), usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
