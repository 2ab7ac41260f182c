"""How much longer reading an XLSX ledger of 100,000 rows takes than a bare read of its cells: at most 3 times.

The bare read is calamine's, the fastest maintained reader: the same file, all rows of the sheet as Python values. Ours
opens the ledger, decides on dates and amounts, and types every row. By turns, in one process. Exits with 1 if missed.

    python benchmarks/ledger_xlsx.py [--rows 100000] [--rounds 5]
"""

import argparse
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

import xlsxwriter
from python_calamine import load_workbook

from reconcile.core.money import Currencies
from reconcile.core.records import Entry
from reconcile.ledger.open import open_ledgers
from reconcile.normalise.entries import EntryNormaliser
from reconcile.settings import Profile

MOST = 3.0
HEADER = ("ledger_id", "reference", "amount", "date", "currency", "status", "transaction_id", "description")


def main() -> int:
    """Measure, and print a row of a Markdown table for each way of reading; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.xlsx"
        make(path, options.rows)
        bare, rows, typed = [], [], []
        for _ in range(options.rounds):
            bare.append(timed(lambda: bare_read(path), options.rows))
            rows.append(timed(lambda: raw_rows(path), options.rows))
            typed.append(timed(lambda: entries(path), options.rows))
        size = path.stat().st_size / 2**20
    print(f"{options.rows:,} rows, {len(HEADER)} columns, {size:.1f} MiB, median of {options.rounds}\n")
    print("| | seconds | of the bare read |")
    print("|---|---|---|")
    for name, seconds in (
        ("bare calamine", bare),
        ("ours, rows with their places", rows),
        ("ours, typed entries", typed),
    ):
        print(f"| {name} | {median(seconds):.2f} | {median(seconds) / median(bare):.2f} |")
    ratio = median(typed) / median(bare)
    print(f"\n{'Met' if ratio <= MOST else 'MISSED'}: read in at most {MOST:g} times the bare read")
    return int(ratio > MOST)


def make(path: Path, rows: int) -> None:
    """A ledger with real numbers and dates."""
    book = xlsxwriter.Workbook(path, {"constant_memory": True})
    sheet = book.add_worksheet("Receipts")
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    sheet.write_row(0, 0, HEADER)
    for number in range(1, rows + 1):
        sheet.write_string(number, 0, f"RCT/{number:07}")
        sheet.write_string(number, 1, f"ORD-{number}")
        sheet.write_number(number, 2, (number * 37 % 1_000_000) / 100)
        sheet.write_datetime(number, 3, date(2026, 1, 1) + timedelta(days=number % 240), day)
        sheet.write_string(number, 4, "INR")
        sheet.write_string(number, 5, "paid")
        sheet.write_string(number, 6, f"tx_{number}")
        sheet.write_string(number, 7, f"Order number {number}")
    book.close()


def bare_read(path: Path) -> int:
    """All rows of the sheet as Python values."""
    with load_workbook(path) as book:
        return len(book.get_sheet_by_index(0).to_python()) - 1


def raw_rows(path: Path) -> int:
    """Stage 1: what `reconcile.ledger` hands on."""
    return sum(1 for _ in open_ledgers([path], Profile("default"))[0].rows())


def entries(path: Path) -> int:
    """Stages 1 and 2: every row typed."""
    profile = Profile("default")
    ledger = open_ledgers([path], profile)[0]
    normaliser = EntryNormaliser.of(ledger, profile, ["ap_1"], Currencies())
    return sum(isinstance(one, Entry) for one in normaliser.typed(ledger.rows()))


def timed(read: object, rows: int) -> float:
    """Seconds of one reading, which must find all rows."""
    assert callable(read)
    begun = perf_counter()
    found = read()
    seconds = perf_counter() - begun
    assert found == rows, (found, rows)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
