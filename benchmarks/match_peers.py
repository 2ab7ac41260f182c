"""How long another program takes for the same job. Run by `match.py`.

    python benchmarks/match_peers.py settleflow|datacompy kspay.csv ledger.csv found.csv

settleflow gets its own objects, datacompy pandas frames whose amounts are whole numbers of the smallest unit: what
is quickest for it. Writes what was found, a row a pair or lone record. Prints the seconds of reading both files, of
the comparison alone and of writing, and the most memory in MiB.
"""

import csv
import resource
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

Steps = tuple[Callable[[Path], Any], Callable[[Any, Any], Any], Callable[[Any, Path], None]]


def settleflow() -> Steps:
    """Its match of two lists by reference, then by amount and date."""
    from settleflow import Txn, match

    def read(path: Path) -> list[Any]:
        with path.open(newline="") as file:
            return [
                Txn(row["reference"], Decimal(row["amount"]), date.fromisoformat(row["day"]))
                for row in csv.DictReader(file)
            ]

    def write(result: Any, path: Path) -> None:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerows((pair.settlement.utr, pair.bank.utr, pair.status.value) for pair in result.matched)
            rows.writerows((one.utr, None, "settlement only") for one in result.settlement_only)
            rows.writerows((None, one.utr, "bank only") for one in result.bank_only)

    return read, match, write


def datacompy() -> Steps:
    """Its comparison of two frames by reference: which rows are on both sides, and which of those differ."""
    import pandas
    from datacompy import PandasCompare

    def read(path: Path) -> Any:
        return pandas.read_csv(path, usecols=["reference", "currency", "minor", "family"])

    def compare(one: Any, other: Any) -> Any:
        compared = PandasCompare(one, other, join_columns=["reference"])
        compared.matches()
        compared.all_mismatch()
        return compared

    def write(compared: Any, path: Path) -> None:
        pairs = compared.intersect_rows
        agree = pairs[[name for name in pairs.columns if name.endswith("_match")]].all(axis=1)
        found = [pairs.assign(found=agree)[["reference", "found"]]]
        for name in ("df1_unq_rows", "df2_unq_rows"):
            found.append(getattr(compared, name)[["reference"]].assign(found=name))
        rows = pandas.concat(found)
        rows.insert(1, "other", rows["reference"])
        rows.to_csv(path, index=False, header=False)

    return read, compare, write


if __name__ == "__main__":
    read, compare, write = {"settleflow": settleflow, "datacompy": datacompy}[sys.argv[1]]()
    marks = [perf_counter()]
    one, other = read(Path(sys.argv[2])), read(Path(sys.argv[3]))
    marks.append(perf_counter())
    result = compare(one, other)
    marks.append(perf_counter())
    write(result, Path(sys.argv[4]))
    marks.append(perf_counter())
    seconds = [later - earlier for earlier, later in pairwise(marks)]
    print(*seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
