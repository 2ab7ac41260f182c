"""Ledgers that book amounts less the fee of the gateway: each rule, what deviates, refunds, and a change of the fees.

Every example is an app of its own, so that one run of the engine matches them all.
"""

import csv
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerances
from reconcile.core.progress import silent
from reconcile.db.sql_files import read_sql
from reconcile.match.engine import match
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.oracle.words import AUGUST
from tests.support.arrivals import arrive, record_run, write_tables
from tests.support.desk import Desk, Pair
from tests.support.worlds import entry, tx

CARD = Fee("card", "INR", date.min, percent=Decimal(2), tax=Decimal(18))
FEES = (
    CARD,
    replace(CARD, first_day=date(2026, 8, 20), percent=Decimal(3), fixed=Decimal(1)),
    Fee(None, "INR", date.min, fixed=Decimal("5.25")),
)
SETTINGS = Settings(fees=FEES, tolerances=Tolerances.parse("INR=0.05", Currencies()))


def card(number: int, reference: str | None = "A", amount: str = "1000", **more: Any) -> T:
    return tx(number, reference, amount, method="CARD", **more)


@dataclass(frozen=True)
class Example:
    """Records of one merchant; how they are paired, the types that are found, and the fee of the match of tx_1."""

    transactions: list[T]
    entries: list[E]
    paired: set[Pair]
    types: tuple[str, ...] = ()
    fee: str = ""


def one(rule: str, transactions: list[T], entries: list[E], *types: str, fee: str = "") -> Example:
    """All of them in one match."""
    ids = [(t.id, e.id) for t in transactions for e in entries]
    paired = {(rule, t, e) for t, e in ids if t == transactions[0].id or e == entries[0].id}
    return Example(transactions, entries, paired, types, fee)


EXAMPLES = {
    "the pair that needs no pass": one("reference", [card(1)], [entry(1, "A", "976.40")], fee="23.60"),
    "the whole amount": one("reference", [card(1)], [entry(1, "A", "1000")]),
    "named": one("transaction_id", [card(1)], [entry(1, None, "976.40", names="tx_1")], fee="23.60"),
    "within the tolerance of the rest": one("reference", [card(1)], [entry(1, "A", "976.43")], fee="23.60"),
    "a fee that changed by a day": one(
        "reference", [card(1, day=20)], [entry(1, "A", "963.42", day=20)], fee="36.58"
    ),
    "of all other methods": one(
        "reference", [tx(1, "A", "1000", method="UPI")], [entry(1, "A", "994.75")], fee="5.25"
    ),
    "of a currency without fees": one(
        "reference_differs",
        [card(1, currency="USD")],
        [entry(1, "A", "976.40", currency="USD")],
        "AMOUNT_MISMATCH",
    ),
    "more than was expected": one(
        "reference_differs", [card(1)], [entry(1, "A", "970.50")], "AMOUNT_MISMATCH"
    ),
    "parts": one("reference_split", [card(1)], [entry(1, "A", "900"), entry(2, "A", "76.40")], fee="23.60"),
    "several payments less all their fees": one(
        "reference_split", [card(1), card(2, amount="500")], [entry(1, "A", "1464.60")], fee="35.40"
    ),
    "several payments, of one the whole amount": one(
        "reference_differs", [card(1), card(2, amount="500")], [entry(1, "A", "1476.40")], "AMOUNT_MISMATCH"
    ),
    "parts that miss what is left by little": one(
        "reference_differs", [card(1)], [entry(1, "A", "500"), entry(2, "A", "440")], "AMOUNT_MISMATCH"
    ),
    "by the id of the provider": one(
        "provider_id", [card(1, order="o")], [entry(1, "B", "976.40", order="o")], fee="23.60"
    ),
    "written differently": one(
        "reference_normalised", [card(1, "INV-7")], [entry(1, "inv 7", "976.40")], fee="23.60"
    ),
    # 1000.04 is 0.04 from tx_2; 976.40 is nothing from tx_1 less its fee.
    "the nearer of both counts": Example(
        [card(1), card(2, amount="1000.04")],
        [entry(1, "A", "976.40"), entry(2, "A", "1000.03")],
        {("reference", "tx_1", "L1"), ("reference", "tx_2", "L2")},
        fee="23.60",
    ),
    "refunded, and the fee is gone": one(
        "reference",
        [card(1, family="refunded")],
        [entry(1, "A", "976.40"), entry(2, "A", "-1000")],
        fee="23.60",
    ),
    "refunded less the fee": one(
        "reference",
        [card(1, family="refunded")],
        [entry(1, "A", "976.40"), entry(2, "A", "-976.40")],
        fee="23.60",
    ),
    "refunded less the fee, and booked without": one(
        "reference",
        [card(1, family="refunded")],
        [entry(1, "A", "1000"), entry(2, "A", "-976.40")],
        "REFUND_MISMATCH",
    ),
    "refunded in part, and all of it booked": one(
        "reference",
        [card(1, family="refunded", word="partially refunded")],
        [entry(1, "A", "976.40"), entry(2, "A", "-976.40")],
        "REFUND_MISMATCH",
        fee="23.60",
    ),
    "booked twice": Example(
        [card(1)],
        [entry(1, "A", "976.40"), entry(2, "A", "976.40", day=11)],
        {("reference", "tx_1", "L1")},
        ("DUPLICATE_IN_LEDGER",),
        fee="23.60",
    ),
    "suggested": Example(
        [card(1, None)], [entry(1, None, "976.40", day=12)], set(), ("MISSING_IN_KSPAY", "MISSING_IN_LEDGER")
    ),
}


@pytest.fixture(scope="module")
def desk(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("fees"), SETTINGS, *EXAMPLES)
    desk.night(
        [replace(t, app=app) for app, example in EXAMPLES.items() for t in example.transactions],
        [replace(e, app=app) for app, example in EXAMPLES.items() for e in example.entries],
    )
    return desk


@pytest.fixture(scope="module")
def tables(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The files of a further run, and what its matches differ by."""
    folder = tmp_path_factory.mktemp("tables")
    with desk.engine.connect() as connection:
        record_run(connection, "files", desk.apps, AUGUST, "running")
        match(connection, SETTINGS, "files", desk.apps, AUGUST, silent)
        write_tables(connection, SETTINGS, folder)
        found = list(connection.execute(text(read_sql("report/allowed"))).mappings())
        connection.rollback()
    return folder, found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_paired_and_found(desk: Desk, name: str) -> None:
    example = EXAMPLES[name]
    assert desk.pairs_of[name] == example.paired
    assert sorted(row["type"] for row in desk.rows if row["app_id"] == name) == sorted(example.types)


def test_the_fee_stands_in_the_file_and_explains_the_variance(tables: tuple[Path, list[Any]]) -> None:
    folder, found = tables
    matched = rows(folder / "matched.csv")
    fees = sorted(example.fee for example in EXAMPLES.values() if example.fee)
    assert sorted(row["fee"] for row in matched if row["fee"]) == fees
    left = {Decimal(row["variance"]) - Decimal(row["fee"]) for row in matched if row["fee"]}
    assert left == {Decimal(0), Decimal("-0.03")}
    assert dict(found[0]) == {
        "currency": "INR",
        "fee_matches": len(fees),
        "fees": sum(map(Decimal, fees)),
        "tolerated_matches": 2,  # 0.03 too much, 0.01 too little
        "tolerated": Decimal("-0.02"),
        "tolerated_either_way": Decimal("0.04"),
    }


def test_what_deviates_says_what_was_expected(tables: tuple[Path, list[Any]]) -> None:
    details = {row["app_id"]: row["detail"] for row in rows(tables[0] / "discrepancies.csv")}
    assert "29.50 INR too little: fee 23.60 expected, 29.50 kept (" in details["more than was expected"]
    assert "same amount less the fee of 23.60 INR, close date" in details["suggested"]
    suggested = [row for row in rows(tables[0] / "discrepancies.csv") if row["app_id"] == "suggested"]
    assert {row["suggested_counterpart"] for row in suggested} == {"tx_1", "L1"}


def test_other_fees_and_another_payment_method_match_again(fresh_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(fresh_engine, tmp_path, SETTINGS, "changing")
    t, e = card(1, app="changing"), entry(1, "A", "976.40", app="changing")
    assert desk.night([t], [e]) == []
    desk.settings = replace(SETTINGS, fees=())
    assert [row["type"] for row in desk.night()] == ["AMOUNT_MISMATCH"]
    desk.settings = SETTINGS
    assert desk.night() == []
    (row,) = desk.night([replace(t, payment_method="UPI")])
    assert (row["type"], row["fee"], row["difference"]) == (
        "AMOUNT_MISMATCH",
        Decimal("5.25"),
        Decimal("23.60"),
    )


def test_an_agreement_that_nobody_stated_is_proposed(fresh_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(fresh_engine, tmp_path, Settings(), "unstated")
    parts = [entry(99, "R99", "500", app="unstated"), entry(98, "R99", "400", app="unstated")]
    refunds = [entry(97, "R1", "-50", app="unstated")]
    desk.night(
        [card(n, f"R{n}", app="unstated") for n in (*range(15), 99)],
        [entry(n, f"R{n}", "976.40" if n else "1000", app="unstated") for n in range(15)] + parts + refunds,
    )
    assert desk.matched is not None
    # Neither the one of two entries nor the one with a refund counts as such a match.
    assert desk.matched.warnings == (
        "the ledger is 2.36 % below KS Pay in 13 of 16 CARD matches in INR: if these are fees, write [[fees]] into "
        'reconcile.toml, with payment_method = "CARD", currency = "INR", percent = 2.36',
    )
    desk.settings = SETTINGS
    desk.night()
    assert not desk.matched.warnings


def test_without_fees_and_tolerance_no_table_is_looked_at(fresh_engine: Engine) -> None:
    with fresh_engine.connect() as connection:
        plan = _plan_of_allowed(connection)
        connection.rollback()
    assert "One-Time Filter" in plan


def _plan_of_allowed(connection: Connection) -> str:
    arrive(
        connection,
        [tx(1, app="plain")],
        [entry(1, app="plain")],
        ("plain",),
        datetime(2026, 9, 1, tzinfo=UTC),
    )
    connection.exec_driver_sql("discard temp")
    record_run(connection, "plain", ("plain",), AUGUST, "running")
    match(connection, Settings(), "plain", ("plain",), AUGUST, silent)
    _, _, statement = read_sql("match/discrepancies/allowed").partition(
        "create temp table allowed_difference on commit drop as"
    )
    found = connection.exec_driver_sql(f"explain {statement.partition(';')[0]}")
    return "\n".join(found.scalars())
