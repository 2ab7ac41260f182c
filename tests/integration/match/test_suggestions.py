"""What may belong together although no rule pairs it: each kind of suggestion, what is none, and what a person refused.

Every example is an app of its own, so that one run of the engine finds them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reconcile.core.money import Currencies, Tolerances
from reconcile.match.engine import PHASES
from reconcile.report.sentences import sentence
from reconcile.settings import Settings
from tests.oracle import E, T
from tests.support.desk import Desk
from tests.support.worlds import entry, tx

SETTINGS = Settings(tolerances=Tolerances.parse("KWD=0.5,USD=1%", Currencies()))


@dataclass(frozen=True)
class Example:
    """Records without a partner, what is suggested by record, and words of the sentence."""

    transactions: list[T]
    entries: list[E]
    suggested: Mapping[str, str]
    why: str = ""


def said(number: int, description: str, amount: str, day: int = 10) -> E:
    return replace(entry(number, None, amount, day=day), description=description)


EXAMPLES = {
    "in_description: the reference": Example(
        [tx(1, "ORD-1001"), tx(2, "ORD-1002", "77")],
        [
            said(1, "NEFT CR/ord 1001/ORD-1001/ACME", "100", day=25),
            said(2, "order ORD-1003, paid", "70", day=25),
        ],
        {"tx_1": "L1", "L1": "tx_1"},
        "the entry's description names the payment",
    ),
    "in_description: the id, whatever the amount": Example(
        [tx(1, "A")],
        [said(1, "payout tx_1", "55", day=25)],
        {"tx_1": "L1", "L1": "tx_1"},
        "names the payment",
    ),
    "in_description: not a word that two may mean": Example(
        [tx(1, "ORD-1001"), tx(2, "ORD-1001", "9")], [said(1, "ORD-1001", "55", day=25)], {}
    ),
    "similar_references": Example(
        [tx(1, "INV-20261"), tx(2, "INV-777777", "50")],
        [entry(1, "INV-20267", day=25), entry(2, "INV-77777", "50", day=25)],
        {"tx_1": "L1", "L1": "tx_1", "tx_2": "L2", "L2": "tx_2"},
        "the references differ by one letter, and the amounts agree",
    ),
    "similar_references: two letters, or another amount": Example(
        [tx(1, "INV-20261"), tx(2, "INV-777777", "50")],
        [entry(1, "INV-20377", day=25), entry(2, "INV-77777", "51", day=25)],
        {},
    ),
    "similar_references: swapped letters, and no other that is as near": Example(
        [tx(1, "ORDER-12")], [entry(1, "ORDER-21", day=25)], {"tx_1": "L1", "L1": "tx_1"}
    ),
    "near_amounts: swapped digits": Example(
        [tx(1, "A", "1520.50")], [entry(1, "B", "1250.50", day=12)], {"tx_1": "L1", "L1": "tx_1"}, "swapped"
    ),
    "near_amounts: hundredfold": Example(
        [tx(1, "A", "15.20"), tx(2, "C", "3100", day=20)],
        [entry(1, "B", "1520"), entry(2, "D", "31", day=20)],
        {"tx_1": "L1", "L1": "tx_1", "tx_2": "L2", "L2": "tx_2"},
        "one amount is 100 times the other",
    ),
    "near_amounts: within the tolerance": Example(
        [tx(1, "A", "20.1", currency="KWD"), tx(2, "B", "200", currency="USD")],
        [entry(1, "C", "20.6", currency="KWD"), entry(2, "D", "198", currency="USD")],
        {"tx_1": "L1", "L1": "tx_1", "tx_2": "L2", "L2": "tx_2"},
        "amounts within the tolerance",
    ),
    "near_amounts: too far, or too late": Example(
        [tx(1, "A", "20.1", currency="KWD"), tx(2, "E", "15.20")],
        [entry(1, "C", "20.601", currency="KWD"), entry(2, "F", "1520", day=14)],
        {},
    ),
    "near_amounts: not if several fit": Example(
        [tx(1, "A", "15.20")], [entry(n, f"B{n}", "1520", day=8) for n in (1, 2, 3)], {}
    ),
    "batches": Example(
        [tx(1, "A", "60"), tx(2, "B", "33.5"), tx(3, "C", "7", day=20)],
        [entry(1, "payout", "93.5", day=11)],
        {"L1": "tx_1;tx_2"},
        "these payments of one day add up to it",
    ),
    "batches: not if two fit": Example(
        [tx(1, "A", "60"), tx(2, "B", "33.5")], [entry(1, "X", "93.5"), entry(2, "Y", "93.5")], {}
    ),
    # By amount and date alone there are two; the description knows which.
    "the surest counts": Example(
        [tx(1, "ORD-2001"), tx(2, "ORD-2002")],
        [said(1, "ORD-2002", "100"), said(2, "nothing", "100")],
        {"tx_2": "L1", "L1": "tx_2"},
    ),
}


@pytest.fixture(scope="module")
def desk(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("suggestions"), SETTINGS, *EXAMPLES, "refused")
    desk.night(
        [replace(t, app=app) for app, example in EXAMPLES.items() for t in example.transactions]
        + [tx(1, "ORD-1001", app="refused")],
        [replace(e, app=app) for app, example in EXAMPLES.items() for e in example.entries]
        + [replace(said(1, "ORD-1001", "100", day=25), app="refused")],
    )
    return desk


def suggested(desk: Desk, app: str) -> dict[str, str]:
    return {
        row["transaction_id"] or row["ledger_id"]: row["suggested_counterpart"]
        for row in desk.rows
        if row["app_id"] == app and row["suggested_counterpart"]
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_suggested_and_why(desk: Desk, name: str) -> None:
    example = EXAMPLES[name]
    assert suggested(desk, name) == example.suggested
    assert desk.pairs_of[name] == set()
    for row in desk.rows:
        if row["app_id"] == name and row["suggested_counterpart"]:
            detail = sentence(row, Currencies(), 3)
            assert f"; {row['suggested_counterpart']} may be it: " in detail
            assert example.why in detail


def test_a_batch_is_taken_by_match_alone_and_what_a_person_refused_is_not_suggested_again(desk: Desk) -> None:
    batch = next(row for row in desk.rows if row["app_id"] == "batches" and row["ledger_id"] == "L1")
    refused = next(row for row in desk.rows if row["app_id"] == "refused" and row["transaction_id"] == "tx_1")
    assert refused["suggested_counterpart"] == "L1"
    desk.resolve(batch | {"resolution": "match"}, refused | {"resolution": "match"})
    desk.night()
    assert desk.pairs_of["batches"] == {("manual", "tx_1", "L1"), ("manual", "tx_2", "L1")}
    assert desk.pairs_of["refused"] == {("manual", "tx_1", "L1")}
    joined = next(row for row in desk.rows if row["discrepancy_id"] == refused["discrepancy_id"])
    desk.resolve(joined | {"resolution": "reopen"})
    desk.night()
    assert desk.pairs_of["refused"] == set()
    assert suggested(desk, "refused") == {}


def test_what_is_decided_is_not_suggested(desk: Desk) -> None:
    row = next(
        row for row in desk.rows if row["app_id"] == "similar_references" and row["transaction_id"] == "tx_1"
    )
    desk.resolve(row | {"resolution": "accept"})
    desk.night()
    assert suggested(desk, "similar_references") == {"tx_2": "L2", "L2": "tx_2"}


def test_where_suggestions_are_accepted_these_stay_suggestions(fresh_engine: Engine, tmp_path: Path) -> None:
    desk = Desk(fresh_engine, tmp_path, replace(SETTINGS, accept_suggestions=True), "accepting")
    desk.night(
        [tx(1, None, "31", app="accepting"), tx(2, "A", "15.20", app="accepting")],
        [entry(1, None, "31", app="accepting"), entry(2, "B", "1520", app="accepting")],
    )
    assert desk.pairs == {("amount_date", "tx_1", "L1")}
    assert suggested(desk, "accepting") == {"tx_2": "L2", "L2": "tx_2"}


def test_where_thousands_are_unmatched_nothing_more_is_suggested(
    fresh_engine: Engine, tmp_path: Path
) -> None:
    desk = Desk(fresh_engine, tmp_path, SETTINGS, "crowd")
    crowd = [entry(n, f"B{n}", f"{n}.77", app="crowd") for n in range(2, 5001)]
    desk.night([tx(1, "A", "15.20", app="crowd")], [entry(1, "B", "1520", app="crowd"), *crowd])
    assert suggested(desk, "crowd") == {"tx_1": "L1", "L1": "tx_1"}
    desk.night((), [entry(5001, "B5001", "5001.77", app="crowd")])
    assert suggested(desk, "crowd") == {}


def test_every_kind_has_an_example() -> None:
    kinds = {*PHASES["suggestions"]} - {"lone_records", "take_hints"}
    assert kinds == {name.partition(":")[0] for name in EXAMPLES} - {"the surest counts"}
