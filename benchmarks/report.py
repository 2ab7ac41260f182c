"""The files of a run with a million matches and a hundred thousand discrepancies, against the least they could cost.

    python benchmarks/report.py --matches 1000000 --discrepancies 100000

The CSV and Parquet files against COPY TO of the same rows (the same queries of the same database); the workbook against
XlsxWriter's bare write, in constant memory, of the same cells. By turns in one process; medians. Exits with 1 if
the files take more than 3 times the COPY, or the workbook more than 1.5 times the bare write.
"""

import argparse
import csv
import resource
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import xlsxwriter
from page import APP, PERIOD, fill, timed
from sqlalchemy import Connection

from reconcile.core.progress import silent
from reconcile.db import runs
from reconcile.db.engine import open_store
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.report import csv_files as files
from reconcile.report.columns import AMOUNTS, DISCREPANCIES, MATCHED, QUARANTINE, SUMMARY
from reconcile.report.csv_cells import EXACT_DIGITS, shown
from reconcile.report.matched_csv import state_digits, write_matched
from reconcile.report.workbook import write_workbook
from reconcile.settings import Settings

CSV_RATIO = 3
WORKBOOK_RATIO = 1.5
VIEWS = ("discrepancies", "resolved", "matched", "summary", "quarantine")
RUN: dict[str, Any] = {
    "run_id": "bench", "from": str(PERIOD.first), "to": str(PERIOD.last), "timezone": "Asia/Kolkata", "apps": [APP],
    "started_at": "2026-09-01T00:00:00.000Z", "finished_at": "2026-09-01T01:00:00.000Z", "versions": {}, "checks": [],
    "warnings": [],
}  # fmt: skip


def main() -> int:
    """Measure and print Markdown; 1 if a target is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--matches", type=int, default=1_000_000)
    arguments.add_argument("--discrepancies", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="reconcile-bench-") as name:
        folder = Path(name)
        settings = Settings(home=folder / "home", app_ids=(APP,))
        with open_store(settings) as engine:
            fill(engine, asked.matches, asked.discrepancies)
            run_id = runs.start(engine, "run", (APP,), PERIOD, None)
            with engine.connect() as connection:
                matched = match(connection, settings, run_id, (APP,), PERIOD, silent)
                state_digits(connection, settings.currencies)
                before = peak()
                copied, written = by_turns(
                    asked.rounds,
                    lambda: copy(connection, folder / "bare.csv"),
                    lambda: write_tables(connection, settings, folder),
                )
                tables = peak()
        # The million matches are no part of the workbook's target.
        files.write_csv(folder / "matched.csv", MATCHED, [], settings.dialect)
        cells = bare_cells(folder)
        bare, drawn = by_turns(
            asked.rounds, lambda: write_bare(cells, folder / "bare.xlsx"), lambda: write_workbook(RUN, folder)
        )
    found = sum(matched.discrepancies.values())
    print(f"{sum(matched.matches.values()):,} matches, {found:,} discrepancies\n")
    print("| | bare, s | ours, s | of the bare | target |")
    print("|---|---|---|---|---|")
    print(f"| CSV and Parquet files | {copied:.1f} | {written:.1f} | {written / copied:.2f} | {CSV_RATIO} |")
    print(f"| workbook | {bare:.1f} | {drawn:.1f} | {drawn / bare:.2f} | {WORKBOOK_RATIO} |")
    print(f"\nmost memory: {before:.0f} MiB before the files, {tables:.0f} MiB after them")
    missed = written > CSV_RATIO * copied or drawn > WORKBOOK_RATIO * bare
    print("a target is missed" if missed else "both targets are met")
    return int(missed)


def by_turns(rounds: int, one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of two pieces of work that are done by turns."""
    times = [(timed(one)[0], timed(other)[0]) for _ in range(rounds)]
    return median(first for first, _ in times), median(second for _, second in times)


def write_tables(connection: Connection, settings: Settings, folder: Path) -> None:
    """The tables of a report, one after the other."""
    files.write_small_tables(connection, settings, folder)
    write_matched(connection, settings.currencies, folder / "matched.csv", settings.dialect)


def copy(connection: Connection, path: Path) -> None:
    """The rows of every file by COPY TO, as the database writes them."""
    driver = connection.connection.driver_connection
    assert driver is not None
    with path.open("wb") as file, driver.cursor() as cursor:
        for name in VIEWS:
            with cursor.copy(f"copy ({read_sql(f'report/{name}')}) to stdout with (format csv)") as rows:
                for block in rows:
                    file.write(block)


def bare_cells(folder: Path) -> list[list[tuple[str, Any]]]:
    """Every cell of the workbook as the method of XlsxWriter that writes it, and its value."""
    rows = []
    for name, columns in (("summary", SUMMARY), ("discrepancies", DISCREPANCIES), ("quarantine", QUARANTINE)):
        with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            for values in list(csv.reader(file))[1:]:
                rows.append([bare_cell(*pair) for pair in zip(columns, map(shown, values), strict=True)])
    return rows


def bare_cell(name: str, value: str) -> tuple[str, Any]:
    """How one cell is written."""
    if not value:
        return "", None
    if name in AMOUNTS and sum(letter.isdigit() for letter in value) <= EXACT_DIGITS:
        return "write_number", Decimal(value)
    if name in ("age_days", "count", "row"):
        return "write_number", int(value)
    if name in ("first_seen", "kspay_date", "ledger_date"):
        return "write_datetime", date.fromisoformat(value)
    return "write_string", value


def write_bare(rows: list[list[tuple[str, Any]]], path: Path) -> None:
    """One sheet, one format, nothing else."""
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet()
    look = book.add_format({"num_format": "#,##0.00"})
    for number, row in enumerate(rows):
        for column, (method, value) in enumerate(row):
            if method:
                getattr(sheet, method)(number, column, value, look)
    book.close()


def peak() -> float:
    """Most memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
