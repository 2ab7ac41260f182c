"""The page of a run with a million matches and a hundred thousand discrepancies: seconds and bytes.

    python benchmarks/page.py --matches 1000000 --discrepancies 100000

Counted is all that the run does for its page: the figures that only the database knows, and the drawing from the run's
files. Exits with 1 if that takes 2 seconds or more, or the page has more than 3 MB. The movements for the
month's close are measured beside it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.report import csv_files as files
from reconcile.report.figures import figures
from reconcile.report.html import write_page
from reconcile.report.matched_csv import write_matched
from reconcile.settings import Settings

SECONDS = 2
MEGABYTES = 3
APP = "ap_bench"
PERIOD = Period(date(2026, 7, 3), date(2026, 8, 31))
T = TypeVar("T")


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--matches", type=int, default=1_000_000)
    arguments.add_argument("--discrepancies", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="reconcile-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", app_ids=(APP,))
        with open_store(settings) as engine:
            fill(engine, asked.matches, asked.discrepancies)
            return measure(engine, settings, Path(folder), asked.rounds)


def fill(engine: Engine, matches: int, discrepancies: int) -> None:
    """Records of one app over 60 days: a third of the discrepancies are matches whose amounts differ."""
    differing = discrepancies // 3
    alone = discrepancies - differing
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into transactions (app_id, transaction_id, reference, comparable, currency, amount, status,"
                " created_at, payment_type)"
                " select :app, 'tx_' || i, 'ORD-' || i, 'ord' || i, (array['INR', 'INR', 'USD', 'KWD'])[i % 4 + 1],"
                " 100 + i % 90000, 'success', timestamptz '2026-07-03 00:00+00' + i % 85000 * interval '1 minute',"
                " (array['UPI', 'CARD', 'NETBANKING', 'WALLET'])[i % 4 + 1] from generate_series(1, :rows) as i"
            ),
            {"app": APP, "rows": matches + alone},
        )
        connection.execute(
            text(
                "insert into entries (app_id, source, ledger_id, reference, comparable, currency, amount, status,"
                " dated_on)"
                " select app_id, 'default', 'L' || substr(transaction_id, 4), reference, comparable, currency,"
                " amount + case when substr(transaction_id, 4)::integer <= :differing then 1 else 0 end, 'paid',"
                " (created_at at time zone 'Asia/Kolkata')::date from transactions"
                " where substr(transaction_id, 4)::integer <= :matches"
            ),
            {"differing": differing, "matches": matches},
        )
        connection.execute(text("analyze transactions"))
        connection.execute(text("analyze entries"))


def measure(engine: Engine, settings: Settings, folder: Path, rounds: int) -> int:
    """A run of which nothing is fetched; its page is drawn several times, and the best counts."""
    run_id = runs.start(engine, "run", (APP,), PERIOD, None)
    run_folder = folder / "run"
    run_folder.mkdir()
    with engine.connect() as connection:
        matched = match(connection, settings, run_id, (APP,), PERIOD, silent)
        files.write_small_tables(connection, settings, run_folder)
        write_matched(connection, settings.currencies, run_folder / "matched.csv", settings.dialect)
        run: dict[str, Any] = {
            "run_id": run_id,
            "from": str(PERIOD.first),
            "to": str(PERIOD.last),
            "timezone": "Asia/Kolkata",
            "apps": [APP],
            "finished_at": "2026-09-01T01:00:00.000Z",
            "matched": matched.matches,
            "discrepancies": matched.discrepancies,
            "new": matched.new,
            "cleared": len(matched.cleared),
            "quarantined": {},
            "totals": files.read_totals(connection, settings.currencies),
            "validation": [],
            "checks": matched.checks,
            "warnings": [],
            "versions": {},
        }
        asking = [
            timed(lambda: run.update(figures(connection, run_id, PERIOD, settings.currencies)))[0]
            for _ in range(rounds)
        ]
        moving = timed(lambda: movements(connection))[0]
    drawing = [timed(lambda: write_page(run, run_folder))[0] for _ in range(rounds)]
    size = (run_folder / "report.html").stat().st_size
    found = sum(matched.discrepancies.values())
    print("| matches | discrepancies | figures, s | drawing, s | together | page, MB | movements, s |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {sum(matched.matches.values()):,} | {found:,} | {min(asking):.2f} | {min(drawing):.2f} |"
        f" {min(asking) + min(drawing):.2f} | {size / 1e6:.2f} | {moving:.2f} |"
    )
    missed = min(asking) + min(drawing) >= SECONDS or size > MEGABYTES * 1e6
    print("\na target is missed" if missed else "\nboth targets are met")
    return int(missed)


def movements(connection: Connection) -> None:
    """Write the movements of the run once more."""
    for table in ("movements", "run_bases"):
        connection.execute(text(f"delete from {table}"))  # noqa: S608
    for table in ("open_item", "known_item"):
        connection.execute(text(f"drop table {table}"))
    connection.exec_driver_sql(
        read_sql("match/discrepancies/movements"), execution_options={"no_parameters": True}
    )


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """How many seconds it took, and what came of it."""
    started = perf_counter()
    result = work()
    return perf_counter() - started, result


if __name__ == "__main__":
    sys.exit(main())
