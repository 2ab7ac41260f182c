"""Every type of discrepancy by example, as of 31 August 2026: when each is reported, and when it just is not.

Every example is an app of its own, so that one run of the engine finds them all.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reconcile.core.discrepancies import TYPES
from tests.oracle import E, T
from tests.support.desk import Desk
from tests.support.worlds import entry, tx

NIGHTFALL = "23:59"


@dataclass(frozen=True)
class Example:
    """Records of one merchant, and what is reported of them: type, severity, transactions, entries."""

    transactions: list[T]
    entries: list[E]
    reported: set[tuple[str, str, str, str]]
    broken: list[T | E] = field(default_factory=list)


EXAMPLES = {
    "MISSING_IN_LEDGER": Example(
        [tx(1, "A"), tx(2, "B", family="refunded")],
        [],
        {("MISSING_IN_LEDGER", "high", "tx_1", ""), ("MISSING_IN_LEDGER", "high", "tx_2", "")},
    ),
    "MISSING_IN_KSPAY": Example([], [entry(1, "A")], {("MISSING_IN_KSPAY", "high", "", "L1")}),
    "MISSING_IN_KSPAY: a refund that belongs to no sale": Example(
        [], [entry(1, "A", "-100")], {("MISSING_IN_KSPAY", "high", "", "L1")}
    ),
    "AMOUNT_MISMATCH": Example(
        [tx(1)], [entry(1, amount="99.99")], {("AMOUNT_MISMATCH", "high", "tx_1", "L1")}
    ),
    "CURRENCY_MISMATCH: and then no AMOUNT_MISMATCH": Example(
        [tx(1)], [entry(1, amount="7", currency="USD")], {("CURRENCY_MISMATCH", "high", "tx_1", "L1")}
    ),
    "STATUS_MISMATCH": Example(
        [tx(1, family="refunded"), tx(2, "B", family="failed")],
        [entry(1), entry(2, "B")],
        {("STATUS_MISMATCH", "high", "tx_1", "L1"), ("STATUS_MISMATCH", "high", "tx_2", "L2")},
    ),
    "STATUS_MISMATCH: not where the families agree": Example(
        [
            tx(1, "A", family="refunded"),
            tx(2, "B", family="refunded"),
            tx(3, "C", family="failed"),
            tx(4, "D", family="cancelled"),
        ],
        [
            entry(1, "A", family="refunded"),
            entry(2, "B", family="cancelled"),
            entry(3, "C", family="unpaid"),
            entry(4, "D", family="cancelled"),
        ],
        set(),
    ),
    "DUPLICATE_IN_KSPAY": Example(
        [tx(1, day=10), tx(2, day=17), tx(3, day=18)],
        [entry(1, day=10)],
        # Seven days from the one that is matched, and the third one day after the second.
        {("DUPLICATE_IN_KSPAY", "high", "tx_2", ""), ("DUPLICATE_IN_KSPAY", "high", "tx_3", "")},
    ),
    "DUPLICATE_IN_KSPAY: info where it was given back": Example(
        [tx(1), tx(2, family="refunded")], [entry(1)], {("DUPLICATE_IN_KSPAY", "info", "tx_2", "")}
    ),
    "DUPLICATE_IN_KSPAY: not eight days later": Example(
        [tx(1, day=10), tx(2, day=18)], [entry(1, day=10)], {("MISSING_IN_LEDGER", "high", "tx_2", "")}
    ),
    "DUPLICATE_IN_LEDGER": Example(
        [tx(1)],
        [entry(1), entry(2, day=12), entry(3, None, names="tx_1", day=13)],
        # The one that names the transaction is matched.
        {("DUPLICATE_IN_LEDGER", "medium", "", "L1"), ("DUPLICATE_IN_LEDGER", "medium", "", "L2")},
    ),
    "DUPLICATE_IN_KSPAY: only of one amount and currency": Example(
        [tx(1), tx(2, amount="99.99"), tx(3, currency="USD")],
        [entry(1)],
        {("MISSING_IN_LEDGER", "high", "tx_2", ""), ("MISSING_IN_LEDGER", "high", "tx_3", "")},
    ),
    "DUPLICATE_IN_LEDGER: only of one amount and currency": Example(
        [tx(1)],
        [entry(1), entry(2, amount="99.99"), entry(3, currency="USD")],
        {("MISSING_IN_KSPAY", "high", "", "L2"), ("MISSING_IN_KSPAY", "high", "", "L3")},
    ),
    "DUPLICATE_IN_LEDGER: a refund repeats a refund": Example(
        [tx(1, family="refunded"), tx(2, "B")],
        # The second refund of R1 repeats the first, which is booked with its payment, and so does that of C.
        [
            entry(1),
            entry(2, amount="-100"),
            entry(3, amount="-100", day=11),
            entry(4, "B"),
            entry(5, "C", "-70"),
            entry(6, "C", "-70", day=11),
        ],
        {
            ("DUPLICATE_IN_LEDGER", "medium", "", "L3"),
            ("MISSING_IN_KSPAY", "high", "", "L5"),
            ("DUPLICATE_IN_LEDGER", "medium", "", "L6"),
        },
    ),
    "REFUND_MISMATCH: KS Pay says paid": Example(
        [tx(1)], [entry(1), entry(2, amount="-30", day=12)], {("REFUND_MISMATCH", "high", "tx_1", "L1;L2")}
    ),
    "REFUND_MISMATCH: given back, and another part of it is booked": Example(
        [tx(1, family="refunded")],
        [entry(1), entry(2, amount="-30"), entry(3, amount="-50")],
        {("REFUND_MISMATCH", "high", "tx_1", "L1;L2;L3")},
    ),
    "REFUND_MISMATCH: given back in part, and all of it is booked": Example(
        [tx(1, family="Partially Refunded"), tx(2, "B", family="partially_refunded")],
        [entry(1), entry(2, amount="-30"), entry(3, amount="-70"), entry(4, "B"), entry(5, "B", "-100")],
        {("REFUND_MISMATCH", "high", "tx_1", "L1;L2;L3"), ("REFUND_MISMATCH", "high", "tx_2", "L4;L5")},
    ),
    "REFUND_MISMATCH: a payment of several entries, one of them given back": Example(
        [tx(1, family="refunded")],
        [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="-40")],
        {("REFUND_MISMATCH", "high", "tx_1", "L1;L2;L3")},
    ),
    "REFUND_MISMATCH: not where both sides tell the same": Example(
        [tx(1, family="refunded"), tx(2, "B", family="partially_refunded"), tx(3, "C", family="refunded")],
        [
            entry(1),
            entry(2, amount="-60", day=11),
            entry(3, amount="-40", day=12),
            entry(4, "B"),
            entry(5, "B", "-99.99"),
            entry(6, "C", family="refunded"),
        ],
        set(),
    ),
    "REFUND_MISMATCH: not where KS Pay says neither paid nor refunded": Example(
        [tx(1, family="failed"), tx(2, "B", family="unknown")],
        [entry(1), entry(2, amount="-30"), entry(3, "B"), entry(4, "B", "-30")],
        {("STATUS_MISMATCH", "high", "tx_1", "L1;L2"), ("UNKNOWN_STATUS", "medium", "tx_2", "L3;L4")},
    ),
    "REFUND_MISMATCH: not by a status of the ledger alone": Example(
        [tx(1), tx(2, "B", family="partially_refunded")],
        [entry(1, family="refunded"), entry(2, "B", family="refunded")],
        {("STATUS_MISMATCH", "high", "tx_1", "L1")},
    ),
    "REFUND_MISMATCH: a refund and its payment meet through the transaction": Example(
        [tx(1, "A", family="refunded"), tx(2, "B", family="refunded")],
        # L1 names tx_1, and only tx_1 has the reference of L2; the other way round for tx_2.
        [
            entry(1, None, names="tx_1"),
            entry(2, "A", "-100", day=12),
            entry(3, "B"),
            entry(4, "Z", "-100", names="tx_2", day=12),
        ],
        set(),
    ),
    "REFUND_MISMATCH: a reference of two transactions stands for neither": Example(
        [tx(1, "A"), tx(2, "A", "50")],
        [entry(1, None, names="tx_1"), entry(2, "A", "-100"), entry(3, "A", "50")],
        {("MISSING_IN_KSPAY", "high", "", "L2")},
    ),
    "AMOUNT_MISMATCH: parts of which the sum is a little off": Example(
        [tx(1)],
        [entry(1, amount="33.33"), entry(2, amount="33.33"), entry(3, amount="33.33")],
        {("AMOUNT_MISMATCH", "high", "tx_1", "L1;L2;L3")},
    ),
    "DATE_MISMATCH": Example(
        [tx(1, "A", day=10), tx(2, "B", day=10)],
        [entry(1, "A", day=14), entry(2, "B", day=13)],
        {("DATE_MISMATCH", "low", "tx_1", "L1")},
    ),
    "STALE_PENDING": Example(
        # 24 hours before the end of 31 August is the end of the 30th.
        [
            tx(1, "A", family="pending", day=30, at=NIGHTFALL),
            tx(2, "B", family="pending", day=31, at="00:00"),
        ],
        [],
        {("STALE_PENDING", "medium", "tx_1", "")},
    ),
    "STALE_PENDING: matched, and booked as paid or not": Example(
        [tx(1, "A", family="pending"), tx(2, "B", family="pending")],
        [entry(1, "A", family="unpaid"), entry(2, "B")],
        {("STALE_PENDING", "medium", "tx_1", "L1"), ("STATUS_MISMATCH", "high", "tx_2", "L2")},
    ),
    "UNKNOWN_STATUS: matched or not, and then no STATUS_MISMATCH": Example(
        [tx(1, family="unknown"), tx(2, "B", family="unknown")],
        [entry(1), entry(3, "C", family="unknown")],
        {
            ("UNKNOWN_STATUS", "medium", "tx_1", "L1"),
            ("UNKNOWN_STATUS", "medium", "tx_2", ""),
            ("UNKNOWN_STATUS", "medium", "", "L3"),
        },
    ),
    "TIMING_DIFFERENCE": Example(
        [tx(1, "A", day=31), tx(2, "B", day=30)],
        [entry(1, "C", day=31)],
        {
            ("TIMING_DIFFERENCE", "info", "tx_1", ""),
            ("TIMING_DIFFERENCE", "info", "", "L1"),
            ("MISSING_IN_LEDGER", "high", "tx_2", ""),
        },
    ),
    "INVALID_RECORD": Example(
        [tx(2, "B")],
        [entry(2, "B")],
        {("INVALID_RECORD", "high", "tx_1", ""), ("INVALID_RECORD", "high", "", "L1")},
        [tx(1), entry(1)],
    ),
    "several things wrong with one match": Example(
        [tx(1, family="failed", day=1)],
        [entry(1, amount="90", day=20)],
        {
            ("AMOUNT_MISMATCH", "high", "tx_1", "L1"),
            ("STATUS_MISMATCH", "high", "tx_1", "L1"),
            ("DATE_MISMATCH", "low", "tx_1", "L1"),
        },
    ),
    "excluded: nothing is wrong": Example(
        [
            tx(1, "A", family="failed"),
            tx(2, "B", family="cancelled"),
            tx(3, "C", family="pending", day=31),
        ],
        [entry(1, "D", family="unpaid"), entry(2, "E", family="cancelled")],
        set(),
    ),
}


@pytest.fixture(scope="module")
def desk(fresh_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(fresh_engine, tmp_path_factory.mktemp("types"), None, *EXAMPLES)
    desk.night(
        [replace(t, app=app) for app, example in EXAMPLES.items() for t in example.transactions],
        [replace(e, app=app) for app, example in EXAMPLES.items() for e in example.entries],
        broken=[replace(one, app=app) for app, example in EXAMPLES.items() for one in example.broken],
    )
    return desk


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_reported(desk: Desk, name: str) -> None:
    assert {
        (row["type"], row["severity"], row["transaction_id"] or "", row["ledger_id"] or "")
        for row in desk.rows
        if row["app_id"] == name
    } == EXAMPLES[name].reported


def test_a_duplicate_names_what_it_repeats(fresh_engine: Engine, tmp_path: Path) -> None:
    """A matched one first, though another is nearer; and an id that two sources hold is written with its source."""
    desk = Desk(fresh_engine, tmp_path, None, "ap_repeats")
    transactions = [tx(1, day=4), tx(2, day=9), tx(3, day=10), tx(4, "R2")]
    entries = [
        entry(1, day=4),
        entry(1, "R2", source="tally"),
        entry(2, "R2", day=11),
        entry(3, "R3", "100", day=12),
        entry(4, "R3", "-100", day=13),
        entry(5, "R3", "100", day=14),
    ]
    desk.night(
        [replace(t, app="ap_repeats") for t in transactions], [replace(e, app="ap_repeats") for e in entries]
    )
    told = {
        row["transaction_id"] or row["ledger_id"]: (
            row["other_id"],
            row["other_date"] and row["other_date"].day,
            row["other_matched_with"],
        )
        for row in desk.rows
        if row["type"].startswith("DUPLICATE")
    }
    assert told == {
        "tx_2": ("tx_1", 4, "default:L1"),
        "tx_3": ("tx_1", 4, "default:L1"),
        "L2": ("tally:L1", 10, "tx_4"),
        "L5": ("L3", 12, None),
    }


def test_every_type_has_an_example_that_names_it() -> None:
    assert TYPES.keys() <= {name.partition(":")[0] for name in EXAMPLES}
