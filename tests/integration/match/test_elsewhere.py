"""The sentence of a missing record names the one of its reference that is matched with another."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from reconcile.core.money import Currencies
from reconcile.report.sentences import sentence
from tests.oracle import E, T
from tests.support.desk import Desk
from tests.support.worlds import entry, tx

CAUSES = {
    "one entry of the reference": (
        [tx(1, amount="100"), tx(2, amount="70")],
        [entry(1, amount="100")],
        "tx_2",
        "but the ledger has no entry for it; the one entry of reference R1, L1, is matched with tx_1.",
    ),
    "one transaction of the reference": (
        [tx(1, amount="100")],
        [entry(1, amount="100"), entry(2, amount="70")],
        "L2",
        "but KS Pay has no transaction for it; the one transaction of reference R1, tx_1, is matched with L1.",
    ),
    "the transaction that it names": (
        [tx(1, amount="100")],
        [entry(1, amount="100", names="tx_1"), entry(2, "B", amount="70", names="tx_1")],
        "L2",
        "but KS Pay has no transaction for it; transaction tx_1 is matched with L1.",
    ),
    "the entry that names it": (
        [tx(1, amount="100"), tx(2, "B", amount="70")],
        [entry(1, "B", amount="70", names="tx_1")],
        "tx_1",
        "but the ledger has no entry for it; the entry that names it, L1, is matched with tx_2.",
    ),
    "several of the reference": (
        [tx(1, amount="100"), tx(2, amount="70"), tx(3, amount="7")],
        [entry(1, amount="100"), entry(2, amount="70")],
        "tx_3",
        "but the ledger has no entry for it; the 2 entries of reference R1 are matched otherwise.",
    ),
    "a booking is one, by its sale": (
        [tx(1, amount="100", family="refunded"), tx(2, amount="70")],
        [entry(1, amount="100"), entry(2, amount="-100")],
        "tx_2",
        "but the ledger has no entry for it; the one entry of reference R1, L1, is matched with tx_1.",
    ),
    "none": (
        [tx(1, amount="100")],
        [entry(1, "B", amount="30")],
        "tx_1",
        "but the ledger has no entry for it.",
    ),
}


@pytest.fixture
def desk(fresh_engine: Engine, tmp_path: Path) -> Desk:
    with fresh_engine.begin() as connection:
        connection.execute(
            text(
                "truncate transactions, entries, pairings, findings, bookings, discrepancies, discrepancy_versions"
            )
        )
    return Desk(fresh_engine, tmp_path)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_sentence_names_the_cause(desk: Desk, cause: str) -> None:
    transactions, entries, record, expected = CAUSES[cause]
    desk.night(transactions, entries)
    (row,) = (one for one in desk.rows if record in (one["transaction_id"], one["ledger_id"]))
    assert sentence(row, Currencies(), 3).endswith(expected)


def test_a_key_of_many_is_no_cause(desk: Desk) -> None:
    ones: list[T] = [tx(number, "CASH", amount="5") for number in range(1, 503)]
    others: list[E] = [entry(1, "CASH", amount="7"), entry(2, "B", amount="9")]
    desk.night([*ones, tx(600, "B", "9")], others)
    (row,) = (one for one in desk.rows if one["ledger_id"] == "L1")
    assert "CASH, but KS Pay has no transaction for it." in sentence(row, Currencies(), 3)


def test_entries_of_one_id_are_named_with_their_sources(desk: Desk) -> None:
    desk.night(
        [tx(1, amount="100"), tx(2, amount="70"), tx(3, "B")],
        [entry(1, amount="100"), entry(1, "B", source="shop")],
    )
    (row,) = (one for one in desk.rows if one["transaction_id"] == "tx_2")
    assert "the one entry of reference R1, default:L1, is matched with tx_1." in sentence(
        row, Currencies(), 3
    )
