"""The bridge between the totals of a period: each cause is a line of its own, and the lines add up."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import Engine, text

from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerances
from reconcile.core.progress import silent
from reconcile.match.engine import match
from reconcile.report.bridge import KSPAY_TOTAL, LEDGER_TOTAL, LINES
from reconcile.settings import Settings
from tests.oracle.words import AUGUST
from tests.support.arrivals import arrive, record_run
from tests.support.worlds import entry, tx

APPS = ("ap_1",)
SETTINGS = Settings(
    app_ids=APPS,
    fees=(Fee("card", "INR", date.min, percent=Decimal(2), tax=Decimal(18)),),
    tolerances=Tolerances.parse("INR=0.05", Currencies()),
)
TRANSACTIONS = [
    tx(1, "equal"), tx(2, "differs"), tx(3, "missing", "300"), tx(4, "failed", "50", family="failed"),
    tx(5, "refunded", "200", family="refunded"), tx(6, "to September", "70", day=31), tx(7, "of July", "40", day=0),
    tx(8, "currencies", "10", currency="USD"), tx(9, "twice"), tx(10, "twice"), tx(11, "booked twice"),
    tx(12, "fee", "500", method="CARD"), tx(13, "tolerated"), tx(14, "not yet booked", "25", day=31),
    tx(15, "stale", "60", family="pending"), tx(16, "a sum", "90"), tx(17, "fee and more", "1000", method="CARD"),
]  # fmt: skip
ENTRIES = [
    entry(1, "equal"), entry(2, "differs", "90"), entry(3, "nobody paid", "30"), entry(5, "refunded", "200"),
    entry(6, "refunded", "-200"), entry(7, "to September", "70", day=32), entry(8, "of July", "40", day=1),
    entry(9, "currencies", "12"), entry(10, "twice"), entry(11, "booked twice"), entry(12, "booked twice"),
    entry(13, "fee", "488.20"), entry(14, "tolerated", "99.97"), entry(15, "not yet paid", "15", day=31),
    entry(16, "draft", "35", family="unpaid"), entry(17, "a sum", "60", day=31), entry(18, "a sum", "30", day=32),
    entry(19, "fee and more", "970.50"), entry(20, None, "-8"),
]  # fmt: skip
WANTED = {
    "excluded_in_kspay": (1, "-50"),
    "missing_in_ledger": (1, "-300"),
    "duplicates_in_kspay": (1, "-100"),
    "timing_in_kspay": (1, "-25"),
    "statuses_in_kspay": (1, "-60"),
    # One side of each is dated outside August: 70, 40, and a part of the sum.
    "other_days": (3, "-60"),
    "fees": (1, "-11.80"),
    "tolerated": (1, "-0.03"),
    "amounts": (2, "-39.50"),
    "currencies": (1, "12"),
    "refunds": (1, "-200"),
    "missing_in_kspay": (2, "22"),
    "duplicates_in_ledger": (1, "100"),
    "timing_in_ledger": (1, "15"),
    "excluded_in_ledger": (1, "35"),
    "quarantined": (1, "0"),
}


def told(engine: Engine) -> Mapping[str, dict[str, tuple[int, Decimal]]]:
    with engine.connect() as connection:
        arrive(
            connection,
            TRANSACTIONS,
            ENTRIES,
            APPS,
            datetime(2026, 9, 2, tzinfo=UTC),
            [entry(30, "broken", "1")],
        )
        connection.execute(text("discard temp"))
        record_run(connection, "night", APPS, AUGUST, "running")
        match(connection, SETTINGS, "night", APPS, AUGUST, silent)
        found: dict[str, dict[str, tuple[int, Decimal]]] = {}
        for row in connection.execute(text("select currency, line, records, amount from result_bridge")):
            found.setdefault(row.currency, {})[row.line] = (row.records, row.amount)
        rows = "select currency, line, count(*) as records, sum(amount) as amount from result_bridge_rows group by 1, 2"
        for row in connection.execute(text(rows)):
            assert (row.records, row.amount) == found[row.currency][row.line]
        connection.rollback()
    return found


def test_each_cause_is_a_line_and_the_lines_add_up(fresh_engine: Engine) -> None:
    found = told(fresh_engine)
    rupees = found["INR"]
    first, last = rupees.pop(KSPAY_TOTAL), rupees.pop(LEDGER_TOTAL)
    in_august = [t.amount for t in TRANSACTIONS if t.currency == "INR" and t.id != "tx_7"]
    assert first == (len(in_august), sum(in_august))
    booked = [e.amount for e in ENTRIES if AUGUST.first <= e.day <= AUGUST.last]
    assert last == (len(booked), sum(booked))
    assert rupees == {line: (count, Decimal(amount)) for line, (count, amount) in WANTED.items()}
    assert first[1] + sum(amount for _, amount in rupees.values()) == last[1]
    assert found["USD"] == {KSPAY_TOTAL: (1, Decimal(10)), "currencies": (1, Decimal(-10))}
    assert {line for lines in found.values() for line in lines} <= {*LINES}
