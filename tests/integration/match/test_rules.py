"""The rules of `sql/match` by example: what each pairs, and beside it what it does not.

Every example is an app of its own, so that one run of the engine matches them all.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reconcile.core.money import Currencies, Tolerances
from reconcile.match.engine import PHASES
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.support.desk import Desk, Pair
from tests.support.worlds import entry, tx


@dataclass(frozen=True)
class Example:
    """Records of one merchant, and how they are paired."""

    transactions: list[T]
    entries: list[E]
    paired: set[Pair]


EXAMPLES = {
    "transaction_id": Example(
        [tx(1, "A"), tx(2, "B")],
        # L1 names tx_1, whatever its reference says; L2 names one that is not known.
        [entry(1, "B", names="tx_1"), entry(2, "C", names="tx_9")],
        {("transaction_id", "tx_1", "L1")},
    ),
    "transaction_id within the tolerance of its currency": Example(
        [tx(1, "A", currency="KWD"), tx(2, "B", currency="INR")],
        [
            entry(1, None, "99.5", names="tx_1", currency="KWD"),
            entry(2, None, "99.5", names="tx_2", currency="INR"),
        ],
        {("transaction_id", "tx_1", "L1"), ("reference_differs", "tx_2", "L2")},
    ),
    "reference": Example(
        [tx(1, "A"), tx(2, "a"), tx(3, None)],
        [entry(1, "A"), entry(2, "A "), entry(3, None)],
        {("reference", "tx_1", "L1"), ("reference_normalised", "tx_2", "L2")},
    ),
    "reference: the paid try before the failed one": Example(
        [tx(1, "A", family="failed"), tx(2, "A", day=11)], [entry(1, "A")], {("reference", "tx_2", "L1")}
    ),
    "reference: two that have one hash in Postgres": Example(
        [tx(1, "ORD-15450"), tx(2, "ORD-28583")],
        [entry(1, "ORD-28583"), entry(2, "ORD-15450")],
        {("reference", "tx_1", "L2"), ("reference", "tx_2", "L1")},
    ),
    "transaction_id: named by an entry without a reference": Example(
        [tx(1, "A"), tx(2, "B"), tx(3, "B"), tx(4, "C"), tx(5, "D")],
        # Only tx_1 is alone with what names it: B stands on two, C is booked by its reference, D is named twice.
        [
            entry(1, None, names="tx_1"),
            entry(2, None, names="tx_2"),
            entry(3, None, names="tx_4"),
            entry(4, "C"),
            entry(5, None, names="tx_5"),
            entry(6, None, names="tx_5"),
        ],
        {
            ("transaction_id", "tx_1", "L1"),
            ("transaction_id", "tx_2", "L2"),
            ("transaction_id", "tx_4", "L3"),
            ("transaction_id", "tx_5", "L5"),
        },
    ),
    "reference: each record once": Example(
        [tx(1, "A"), tx(2, "A")],
        [entry(1, "A"), entry(2, "A"), entry(3, "A")],
        {("reference", "tx_1", "L1"), ("reference", "tx_2", "L2")},
    ),
    "reference_split": Example(
        [tx(1, "A")],
        [entry(1, "A", "60"), entry(2, "A", "40")],
        {("reference_split", "tx_1", "L1"), ("reference_split", "tx_1", "L2")},
    ),
    "reference_split: several transactions booked as one": Example(
        [tx(1, "A", "60"), tx(2, "A", "40"), tx(3, "A", "5", family="failed")],
        [entry(1, "A")],
        {("reference_split", "tx_1", "L1"), ("reference_split", "tx_2", "L1")},
    ),
    "reference_split: all that is left, and not a part of it": Example(
        [tx(1, "A")],
        [entry(1, "A", "60"), entry(2, "A", "40"), entry(3, "A", "30")],
        {("reference_differs", "tx_1", "L1")},
    ),
    "provider_id": Example(
        [tx(1, "A", order="o1"), tx(2, "B", txn="p2")],
        [entry(1, None, "70", order="o1"), entry(2, "C", txn="p2"), entry(3, "D", order="p2")],
        {("provider_id", "tx_1", "L1"), ("provider_id", "tx_2", "L2")},
    ),
    "provider_id: families, then the amount, and never the currency": Example(
        [tx(1, "A", "5", order="o1"), tx(2, "B", "5", txn="p2")],
        [
            entry(1, None, "5", currency="USD", order="o1"),
            entry(2, None, "9", family="unpaid", order="o1"),
            entry(3, None, "9", txn="p2"),
            entry(4, None, "5", currency="USD", txn="p2"),
        ],
        {("provider_id", "tx_1", "L1"), ("provider_id", "tx_2", "L4")},
    ),
    "reference_normalised": Example(
        [tx(1, "INV-00/12"), tx(2, "Straße 5")],
        [entry(1, "inv 0012", "90"), entry(2, "STRASSE-5")],
        {("reference_normalised", "tx_1", "L1"), ("reference_normalised", "tx_2", "L2")},
    ),
    "reference_normalised: two that might be meant are none": Example(
        [tx(1, "INV-7")], [entry(1, "inv 7"), entry(2, "Inv/7")], set()
    ),
    "reference_differs: parts that miss a payment by little": Example(
        [tx(1, "A"), tx(2, "B")],
        # By at most 5 %.
        [entry(1, "A", "60"), entry(2, "A", "35"), entry(3, "B", "60"), entry(4, "B", "34.99")],
        {
            ("reference_differs", "tx_1", "L1"),
            ("reference_differs", "tx_1", "L2"),
            ("reference_differs", "tx_2", "L3"),
        },
    ),
    "reference_differs: payments that miss an entry by little": Example(
        [tx(1, "A", "60"), tx(2, "A", "41"), tx(3, "A", "7", family="failed")],
        [entry(1, "A"), entry(2, "A", "5", family="cancelled")],
        {
            ("reference_differs", "tx_1", "L1"),
            ("reference_differs", "tx_2", "L1"),
            ("reference_differs", "tx_3", "L2"),
        },
    ),
    "reference_differs: not parts of which one alone is as near": Example(
        [tx(1, "A")],
        [entry(1, "A", "99"), entry(2, "A", "2")],
        {("reference_differs", "tx_1", "L1")},
    ),
    "reference_differs: no parts where two are left on both sides": Example(
        [tx(1, "A"), tx(2, "A", "500")],
        [entry(1, "A", "60"), entry(2, "A", "39")],
        {("reference_differs", "tx_1", "L1"), ("reference_differs", "tx_2", "L2")},
    ),
    "reference_differs: parts that name the transaction, each currency by itself": Example(
        [tx(1, "A")],
        [
            entry(1, "B", "60", names="tx_1"),
            entry(2, None, "39", names="tx_1"),
            entry(3, "C", "7", names="tx_1", currency="USD"),
        ],
        {("reference_differs", "tx_1", "L1"), ("reference_differs", "tx_1", "L2")},
    ),
    "reference_split: a refund that names two transactions is in one": Example(
        # Both negatives have reference A and name one of the two; their booking carries both names.
        [tx(1, "B", "160", family="refunded"), tx(2, "C", "190", family="refunded")],
        [
            entry(1, "A"),
            entry(2, "A", "-30", names="tx_1"),
            entry(3, "A", "-20", names="tx_2"),
            entry(4, None, "60", "unpaid", names="tx_1"),
            entry(5, None, "90", "unpaid", names="tx_2"),
        ],
        {
            ("reference_split", "tx_1", "L1"),
            ("reference_split", "tx_1", "L2"),
            ("reference_split", "tx_1", "L3"),
            ("reference_split", "tx_1", "L4"),
            ("reference_differs", "tx_2", "L5"),
        },
    ),
    "reference_differs": Example(
        [tx(1, "A"), tx(2, "B")],
        # An equal currency comes before a nearer amount.
        [entry(1, "A", "50"), entry(2, "A", "100", currency="USD"), entry(3, None, "7", names="tx_2")],
        {("reference_differs", "tx_1", "L1"), ("reference_differs", "tx_2", "L3")},
    ),
    "amount_date": Example([tx(1, None, "31")], [entry(1, None, "31", day=13)], set()),
    "a booking is matched as one": Example(
        [tx(1, "A", family="refunded")],
        [entry(1, "A"), entry(2, "A", "-100", day=15)],
        {("reference", "tx_1", "L1"), ("reference", "tx_1", "L2")},
    ),
}


@pytest.fixture(scope="module")
def desk(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    settings = Settings(tolerances=Tolerances.parse("KWD=0.5", Currencies()))
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("rules"), settings, *EXAMPLES, "manual")
    desk.night(
        [replace(t, app=app) for app, example in EXAMPLES.items() for t in example.transactions]
        + [tx(1, "A", app="manual"), tx(2, "B", app="manual")],
        [replace(e, app=app) for app, example in EXAMPLES.items() for e in example.entries]
        + [entry(1, "A", app="manual"), entry(2, "C", app="manual")],
    )
    return desk


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_it_pairs(desk: Desk, name: str) -> None:
    assert desk.pairs_of[name] == EXAMPLES[name].paired


def test_amount_date_only_suggests(desk: Desk) -> None:
    rows = [row for row in desk.rows if row["app_id"] == "amount_date"]
    assert {row["suggested_counterpart"] for row in rows} == {"tx_1", "L1"}


def test_amount_date_pairs_where_suggestions_are_accepted(fresh_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(fresh_engine, tmp_path, Settings(accept_suggestions=True), "accepted")
    # Two entries may belong to tx_2, so neither is suggested.
    desk.night(
        [tx(1, None, "31", app="accepted"), tx(2, None, "32", app="accepted")],
        [
            entry(1, None, "31", day=13, app="accepted"),
            *(entry(n, None, "32", app="accepted") for n in (2, 3)),
        ],
    )
    assert desk.pairs == {("amount_date", "tx_1", "L1")}
    desk.night((), [entry(4, None, "31", app="accepted")])  # now two may belong to tx_1 as well
    assert desk.pairs == set()


def test_manual_undoes_what_is_in_its_way_and_stands_until_a_record_changes(desk: Desk) -> None:
    assert desk.pairs_of["manual"] == {("reference", "tx_1", "L1")}
    row = next(row for row in desk.rows if row["app_id"] == "manual" and row["transaction_id"] == "tx_2")
    desk.resolve(row | {"resolution": "match:L1"})
    desk.night()
    assert desk.pairs_of["manual"] == {("manual", "tx_2", "L1")}
    desk.night([tx(1, "A", "90", app="manual")])
    assert desk.pairs_of["manual"] == {("manual", "tx_2", "L1")}  # its own records are as they were
    desk.night((), [entry(1, "A", "90", app="manual")])
    assert desk.pairs_of["manual"] == {("reference", "tx_1", "L1")}


def test_every_rule_file_has_an_example_that_names_it() -> None:
    assert {*PHASES["rules"]} - {"manual"} == {
        name.partition(":")[0].partition(" ")[0] for name in EXAMPLES
    } - {"a"}
