"""How long another program takes to match the same records, once they are in its memory. Run by `match.py`.

    python benchmarks/match_peers.py settleflow|datacompy kspay.csv ledger.csv

settleflow gets its own objects, datacompy pandas frames whose amounts are whole numbers of the smallest unit: what
is quickest for it. Reading the files is not counted. Prints seconds and MiB.
"""

import csv
import resource
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from time import perf_counter


def settleflow(ours: Path, theirs: Path) -> Callable[[], object]:
    """Its match of two lists by reference, then by amount and date."""
    from settleflow import Txn, match

    def read(path: Path) -> list[object]:
        with path.open(newline="") as file:
            return [
                Txn(row["reference"], Decimal(row["amount"]), date.fromisoformat(row["day"]))
                for row in csv.DictReader(file)
            ]

    one, other = read(ours), read(theirs)
    return lambda: match(one, other)


def datacompy(ours: Path, theirs: Path) -> Callable[[], object]:
    """Its comparison of two frames by reference: which rows are on both sides, and which of those differ."""
    import pandas
    from datacompy import PandasCompare

    def read(path: Path) -> object:
        return pandas.read_csv(path, usecols=["reference", "currency", "minor", "family"])

    one, other = read(ours), read(theirs)

    def compare() -> object:
        compared = PandasCompare(one, other, join_columns=["reference"])
        return compared.matches(), compared.all_mismatch()

    return compare


if __name__ == "__main__":
    work = {"settleflow": settleflow, "datacompy": datacompy}[sys.argv[1]](
        Path(sys.argv[2]), Path(sys.argv[3])
    )
    started = perf_counter()
    work()
    print(perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
