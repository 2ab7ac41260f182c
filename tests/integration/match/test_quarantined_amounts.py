"""The amount of a record that cannot be used counts as at stake where it can be read surely."""

import csv
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, text

from reconcile.core.progress import silent
from reconcile.core.records import Entry, Period, Place, Rejection, Side, Transaction
from reconcile.db.sql_files import read_sql
from reconcile.load.staging_tables import staging_tables
from reconcile.match.engine import match
from reconcile.settings import Settings
from tests.support.arrivals import record_run, write_tables

APPS = ("ap_1",)
AUGUST = Period(date(2026, 8, 1), date(2026, 8, 31))
NOON = datetime(2026, 8, 10, 12, tzinfo=UTC)
DAY = date(2026, 8, 10)


def broken(
    record_id: str,
    amount: str | None,
    currency: str | None = "INR",
    side: Side = Side.LEDGER,
    dated_on: date | None = DAY,
    raw: str = "",
) -> Rejection:
    kspay = side is Side.KSPAY
    return Rejection(
        side, "ap_1", "kspay" if kspay else "default", record_id, Place("a.csv", 2), "status", "?", "status is no text",
        raw or f"{record_id} {amount} {currency}", currency, None if amount is None else Decimal(amount),
        None if kspay else dated_on, NOON if kspay else None,
    )  # fmt: skip


def entry(ledger_id: str, amount: str, row: int) -> Entry:
    return Entry(
        "ap_1", "default", ledger_id, None, "INR", Decimal(amount), "paid", DAY, None, None, None, None, None,
        Place("a.csv", row),
    )  # fmt: skip


def transaction(transaction_id: str, amount: str, status: str) -> Transaction:
    return Transaction(
        "ap_1", transaction_id, None, "INR", Decimal(amount), status, NOON, NOON, None, None, None, None, None,
        Place("page 1", 1),
    )  # fmt: skip


class Night:
    """What a run reports of these records."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        kspay: Sequence[Transaction | Rejection],
        ledger: Sequence[Entry | Rejection],
    ) -> None:
        with staging_tables(engine) as tables:
            tables.add([one for one in kspay if isinstance(one, Transaction)], _rejections(kspay), AUGUST)
            tables.take_in_transactions("ap_1", [AUGUST])
        with staging_tables(engine) as tables:
            tables.add([one for one in ledger if isinstance(one, Entry)], _rejections(ledger))
            tables.take_in_entries(["ap_1"], "default", "a.csv", sha256="a")
        settings = Settings(app_ids=APPS)
        with engine.connect() as connection:
            record_run(connection, "night", APPS, AUGUST, "running")
            match(connection, settings, "night", APPS, AUGUST, silent)
            write_tables(connection, settings, folder)
            self.open = {
                row["currency"]: (row["count"], row["amount"])
                for row in connection.execute(text(read_sql("report/open"))).mappings()
            }
            connection.rollback()
        self.bytes = (folder / "discrepancies.csv").read_bytes()
        self.found = {
            row["transaction_id"] or row["ledger_id"]: (
                row["currency"], row["kspay_amount"], row["ledger_amount"], row["difference"],
            )
            for row in _read(folder / "discrepancies.csv")
        }  # fmt: skip
        self.summary = {
            (row["scope"], row["side"], row["currency"], row["outcome"]): (row["count"], row["amount"])
            for row in _read(folder / "summary.csv")
        }


def _rejections(records: Sequence[object]) -> list[Rejection]:
    return [one for one in records if isinstance(one, Rejection)]


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


KSPAY: list[Transaction | Rejection] = [
    broken("tx_1", "100.5", side=Side.KSPAY),
    broken("tx_2", None, side=Side.KSPAY),
    # Two records of one id and time: one transaction, whose amount both tell, or of which each tells its own.
    transaction("tx_3", "70", "success"),
    transaction("tx_3", "70", "failed"),
    transaction("tx_4", "70", "success"),
    transaction("tx_4", "80", "success"),
]
LEDGER: list[Entry | Rejection] = [
    broken("L1", "-20"),
    broken("L2", None),
    broken("L3", "7.000", "KWD"),
    broken("L4", "30", dated_on=None),
    broken("L5", "5", "USD", dated_on=date(2026, 7, 1)),
    # Rows of one id are as many payments.
    entry("L6", "1", 6),
    entry("L6", "2", 7),
    broken("L7", "3"),
    broken("L7", "4", "USD"),
]


def test_an_amount_that_can_be_read_is_at_stake(fresh_engine: Engine, tmp_path: Path) -> None:
    night = Night(fresh_engine, tmp_path, KSPAY, LEDGER)
    assert night.found == {
        "tx_1": ("INR", "100.50", "", "100.50"),
        "tx_2": ("INR", "", "", ""),
        "tx_3": ("INR", "70.00", "", "70.00"),
        "tx_4": ("INR", "", "", ""),
        "L1": ("INR", "", "-20.00", "20.00"),
        "L2": ("INR", "", "", ""),
        "L3": ("KWD", "", "7.000", "-7.000"),
        "L4": ("INR", "", "30.00", "-30.00"),
        "L6": ("INR", "", "3.00", "-3.00"),
        "L7": ("INR;USD", "", "", ""),
    }
    assert night.open == {"": (1, 0), "INR": (8, Decimal("223.5")), "KWD": (1, 7)}


def test_the_summary_counts_what_the_quarantine_holds(fresh_engine: Engine, tmp_path: Path) -> None:
    night = Night(fresh_engine, tmp_path, KSPAY, LEDGER)
    for outcome in ("quarantined", "total"):
        assert night.summary["period", "kspay", "INR", outcome] == ("6", "0.00")
        assert night.summary["period", "ledger", "INR", outcome] == ("6", "0.00")
        assert night.summary["period", "ledger", "KWD", outcome] == ("1", "0.000")
        assert night.summary["period", "ledger", "USD", outcome] == ("1", "0.00")


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_changes_nothing(fresh_engine: Engine, tmp_path: Path, seed: int) -> None:
    first = tmp_path / "first"
    first.mkdir()
    once = Night(fresh_engine, first, KSPAY, LEDGER)
    with fresh_engine.begin() as connection:
        connection.execute(text("truncate quarantine, quarantine_versions, loads, imports"))
    order = random.Random(seed)
    # The rows of the file have other numbers then.
    ledger = [
        msgspec.structs.replace(one, place=Place("b.csv", number))
        for number, one in enumerate(order.sample(LEDGER, len(LEDGER)), 100)
    ]
    again = Night(fresh_engine, tmp_path, order.sample(KSPAY, len(KSPAY)), ledger)
    assert again.bytes == once.bytes
