"""Refunds, duplicates and splits as a finance desk meets them: each by itself, worked out by hand.

One shop has them all, each under a reference of its own, and is reconciled once, for February 2026.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import LEDGER_COLUMNS
from reconcile.sandbox.server import serve
from tests.support.driver import MakeCommand

DAY_BEFORE = date(2026, 1, 31)

Finding = tuple[str, str, str, str, str, str]
"""Type, transactions, entries (each as in the file), difference, and what either side says was refunded."""


@dataclass(frozen=True)
class Payment:
    """One transaction; `day` is of February 2026, also beyond it (30 is 2 March)."""

    id: str
    amount: str
    status: str = "Success"
    day: int = 10
    currency: str = "INR"


@dataclass(frozen=True)
class Booking:
    """One entry. `reference` is the situation's own if it is None."""

    id: str
    amount: str
    status: str = "paid"
    day: int = 10
    names: str = ""
    reference: str | None = None
    currency: str = "INR"


@dataclass(frozen=True)
class Situation:
    """What KS Pay and the ledger hold of one order, and what a run must say of it."""

    payments: tuple[Payment, ...]
    bookings: tuple[Booking, ...]
    found: tuple[Finding, ...] = ()


def missing(entry: str, difference: str) -> Finding:
    return ("MISSING_IN_KSPAY", "", entry, difference, "", "")


def repeated(entry: str, difference: str) -> Finding:
    return ("DUPLICATE_IN_LEDGER", "", entry, difference, "", "")


def refund_mismatch(transaction: str, entries: str, kspay: str, ledger: str) -> Finding:
    return ("REFUND_MISMATCH", transaction, entries, "0.00", kspay, ledger)


SITUATIONS = {
    # Refunds of all
    "a refund, both sides": Situation(
        (Payment("tx_A1", "699", "refunded"),), (Booking("A1", "699"), Booking("A2", "-699", day=14))
    ),
    "a refund in two pieces": Situation(
        (Payment("tx_A2", "699", "refunded"),),
        (Booking("A3", "699"), Booking("A4", "-200", day=14), Booking("A5", "-499", day=20)),
    ),
    "a refund booked in the next month": Situation(
        (Payment("tx_A3", "699", "refunded", day=25),),
        (Booking("A6", "699", day=25), Booking("A7", "-699", day=33)),
    ),
    "a refund dated before its payment": Situation(
        (Payment("tx_A4", "699", "refunded"),), (Booking("A8", "699"), Booking("A9", "-699", day=9))
    ),
    "a chargeback that KS Pay does not know of": Situation(
        (Payment("tx_A5", "1250"),),
        (Booking("A10", "1250"), Booking("A11", "-1250", day=24)),
        (refund_mismatch("tx_A5", "A10;A11", "0.00", "1250.00"),),
    ),
    "a chargeback and its charge": Situation(
        (Payment("tx_A6", "1250"),),
        (Booking("A12", "1250"), Booking("A13", "-1250", day=24), Booking("A14", "-500", day=24)),
        (refund_mismatch("tx_A6", "A12;A13", "0.00", "1250.00"), missing("A14", "500.00")),
    ),
    "a refund of an order that was cancelled": Situation(
        (Payment("tx_A7", "500", "cancelled"),),
        (Booking("A15", "500"), Booking("A16", "-500", day=11)),
        (("STATUS_MISMATCH", "tx_A7", "A15;A16", "0.00", "", ""),),
    ),
    "a refund that the ledger has not booked": Situation(
        (Payment("tx_A8", "500", "refunded"),),
        (Booking("A17", "500"),),
        (("STATUS_MISMATCH", "tx_A8", "A17", "0.00", "", ""),),
    ),
    "a refund whose payment lies before all that is known": Situation(
        (), (Booking("A18", "-500"),), (missing("A18", "500.00"),)
    ),
    "a refund whose payment the ledger lacks": Situation(
        (Payment("tx_A9", "500", "refunded"),),
        (Booking("A19", "-500", day=12),),
        (("AMOUNT_MISMATCH", "tx_A9", "A19", "1000.00", "", ""),),
    ),
    # Refunds of a part
    "a refund in part, both sides": Situation(
        (Payment("tx_B1", "699", "partially_refunded"),),
        (Booking("B1", "699"), Booking("B2", "-100", day=14)),
    ),
    "two refunds in part": Situation(
        (Payment("tx_B2", "699", "Partially Refunded"),),
        (Booking("B3", "699"), Booking("B4", "-100", day=14), Booking("B5", "-100", day=14)),
    ),
    "a refund in part that KS Pay does not know of": Situation(
        (Payment("tx_B3", "699"),),
        (Booking("B6", "699"), Booking("B7", "-100", day=14)),
        (refund_mismatch("tx_B3", "B6;B7", "0.00", "100.00"),),
    ),
    "all refunded, a part booked": Situation(
        (Payment("tx_B4", "699", "refunded"),),
        (Booking("B8", "699"), Booking("B9", "-100", day=14)),
        (refund_mismatch("tx_B4", "B8;B9", "699.00", "100.00"),),
    ),
    "a part refunded, all booked": Situation(
        (Payment("tx_B5", "699", "partially_refunded"),),
        (Booking("B10", "699"), Booking("B11", "-600", day=14), Booking("B12", "-99", day=14)),
        (refund_mismatch("tx_B5", "B10;B11;B12", "", "699.00"),),
    ),
    "booked net of the refund": Situation(
        (Payment("tx_B6", "699", "partially_refunded"),),
        (Booking("B13", "599"),),
        (
            ("AMOUNT_MISMATCH", "tx_B6", "B13", "100.00", "", ""),
            ("STATUS_MISMATCH", "tx_B6", "B13", "100.00", "", ""),
        ),
    ),
    # Refunds and payments that meet through the transaction
    "the sale by its invoice, the refund by the order": Situation(
        (Payment("tx_C1", "699", "refunded"),),
        (Booking("C1", "699", names="tx_C1", reference="INV-C1"), Booking("C2", "-699", day=14)),
    ),
    "the sale by the order, the refund by a credit note": Situation(
        (Payment("tx_C2", "699", "partially_refunded"),),
        (Booking("C3", "699"), Booking("C4", "-99", day=14, names="tx_C2", reference="CN-7")),
    ),
    "the refund names an id that KS Pay does not know": Situation(
        (Payment("tx_C3", "699", "refunded"),),
        (Booking("C5", "699"), Booking("C6", "-699", day=14, names="tx_refund_of_C3")),
    ),
    "two payments of one order, the second given back": Situation(
        (Payment("tx_C4", "300"), Payment("tx_C5", "300", "refunded", day=11)),
        (
            Booking("C7", "300", names="tx_C4"),
            Booking("C8", "300", day=11, names="tx_C5"),
            Booking("C9", "-300", day=12, names="tx_C5"),
        ),
    ),
    # Too much given back
    "refunded twice": Situation(
        (Payment("tx_D1", "699", "refunded"),),
        (Booking("D1", "699"), Booking("D2", "-699", day=14), Booking("D3", "-699", day=16)),
        (repeated("D3", "699.00"),),
    ),
    "refunded once more a month later": Situation(
        (Payment("tx_D2", "699", "refunded", day=1),),
        (Booking("D4", "699", day=1), Booking("D5", "-699", day=3), Booking("D6", "-699", day=24)),
        (missing("D6", "699.00"),),
    ),
    "half refunded, then all": Situation(
        (Payment("tx_D3", "600", "refunded"),),
        (Booking("D7", "600"), Booking("D8", "-300", day=12), Booking("D9", "-600", day=14)),
        (missing("D8", "300.00"),),
    ),
    "two refunds that exceed the payment": Situation(
        (Payment("tx_D4", "100", "refunded"),),
        (Booking("D10", "100"), Booking("D11", "-60", day=12), Booking("D12", "-60", day=13)),
        (
            ("STATUS_MISMATCH", "tx_D4", "D10", "0.00", "", ""),
            missing("D11", "60.00"),
            repeated("D12", "60.00"),
        ),
    ),
    # Duplicates
    "paid twice": Situation(
        (Payment("tx_E1", "450"), Payment("tx_E2", "450", day=12)),
        (Booking("E1", "450"),),
        (("DUPLICATE_IN_KSPAY", "tx_E2", "", "450.00", "", ""),),
    ),
    "an order, and shipping later": Situation(
        (Payment("tx_E3", "450"), Payment("tx_E4", "49", day=12)),
        (Booking("E2", "450"),),
        (("MISSING_IN_LEDGER", "tx_E4", "", "49.00", "", ""),),
    ),
    "paid in two currencies": Situation(
        (Payment("tx_E5", "450"), Payment("tx_E6", "450", day=12, currency="USD")),
        (Booking("E3", "450"),),
        (("MISSING_IN_LEDGER", "tx_E6", "", "450.00", "", ""),),
    ),
    "booked twice": Situation(
        (Payment("tx_E7", "450"),),
        (Booking("E4", "450"), Booking("E5", "450", day=12)),
        (repeated("E5", "-450.00"),),
    ),
    "booked twice, of two amounts": Situation(
        (Payment("tx_E8", "450"),),
        (Booking("E6", "450"), Booking("E7", "449", day=12)),
        (missing("E7", "-449.00"),),
    ),
    "booked twice, and one taken back": Situation(
        # The earlier of the two is the one taken back; the other pays the payment.
        (Payment("tx_E9", "450"),),
        (Booking("E8", "450"), Booking("E9", "450", day=11), Booking("E10", "-450", day=12)),
        (repeated("E10;E8", "-450.00"),),
    ),
    # Splits
    "three parts that miss a paisa": Situation(
        (Payment("tx_F1", "100"),),
        (Booking("F1", "33.33"), Booking("F2", "33.33"), Booking("F3", "33.33")),
        (("AMOUNT_MISMATCH", "tx_F1", "F1;F2;F3", "0.01", "", ""),),
    ),
    "two parts less 5 %": Situation(
        (Payment("tx_F2", "1000"),),
        (Booking("F4", "500"), Booking("F5", "450")),
        (("AMOUNT_MISMATCH", "tx_F2", "F4;F5", "50.00", "", ""),),
    ),
    "two parts less more than 5 %": Situation(
        (Payment("tx_F3", "1000"),),
        (Booking("F6", "500"), Booking("F7", "449.99")),
        (("AMOUNT_MISMATCH", "tx_F3", "F6", "500.00", "", ""), missing("F7", "-449.99")),
    ),
    "two payments booked as one, a rupee too much": Situation(
        (Payment("tx_F4", "600"), Payment("tx_F5", "400")),
        (Booking("F8", "1001"),),
        (("AMOUNT_MISMATCH", "tx_F4;tx_F5", "F8", "-1.00", "", ""),),
    ),
    "yen in three parts": Situation(
        (Payment("tx_F6", "1000", currency="JPY"),),
        tuple(Booking(f"F{n}", "333", currency="JPY") for n in (10, 11, 12)),
        (("AMOUNT_MISMATCH", "tx_F6", "F10;F11;F12", "1", "", ""),),
    ),
    "dinars in two parts, 5 % less": Situation(
        (Payment("tx_F7", "33.300", currency="KWD"),),
        (Booking("F13", "20.000", currency="KWD"), Booking("F14", "11.635", currency="KWD")),
        (("AMOUNT_MISMATCH", "tx_F7", "F13;F14", "1.665", "", ""),),
    ),
    "a payment booked in two parts, both given back": Situation(
        (Payment("tx_F8", "1000", "refunded"),),
        (
            Booking("F15", "600"),
            Booking("F16", "400"),
            Booking("F17", "-600", day=12),
            Booking("F18", "-400", day=12),
        ),
    ),
}


@pytest.fixture(scope="module")
def found(make_command: MakeCommand) -> dict[str, set[Finding]]:
    """What one run says, by the situation whose records it names."""
    merchant = shop()
    of_record: dict[str, str] = {}
    for name, situation in SITUATIONS.items():
        of_record |= dict.fromkeys([payment.id for payment in situation.payments], name)
        of_record |= dict.fromkeys([booking.id for booking in situation.bookings], name)
    with serve(merchant) as sandbox:
        command = make_command(sandbox)
        merchant.write_ledger(command.folder / "ledger.csv")
        command.good("run", "--from", "2026-02-01", "--to", "2026-02-28", "--ledger", "ledger.csv")
    by_name: dict[str, set[Finding]] = {name: set() for name in SITUATIONS}
    for row in command.latest().rows("discrepancies"):
        first = (row["transaction_id"] or row["ledger_id"]).split(";")[0]
        columns = ("type", "transaction_id", "ledger_id", "difference", "kspay_refunded", "ledger_refunded")
        by_name[of_record[first]].add(tuple(row[column] for column in columns))  # type: ignore[arg-type]
    return by_name


def shop() -> Merchant:
    """The merchant of all situations; the fields that no situation is about are those of a made-up payment."""
    made_up = Merchant.made_up(1, date(2026, 2, 1), 28)
    pattern = made_up.transactions[0]
    transactions, ledger = [], []
    for number, situation in enumerate(SITUATIONS.values()):
        reference = f"ORDER-{number}"
        for payment in situation.payments:
            created_at = datetime(2026, 1, 31, 8, tzinfo=UTC) + timedelta(payment.day)
            transactions.append(
                pattern
                | {
                    "id": payment.id,
                    "referenceNumber": reference,
                    "amount": payment.amount,
                    "currencyCode": payment.currency,
                    "currencyId": made_up.shop.currency_ids[payment.currency],
                    "status": payment.status,
                    "createdAt": created_at.isoformat(),
                    "updatedAt": created_at.isoformat(),
                    "providerOrderId": None,
                    "providerTxnId": None,
                }
            )
        for booking in situation.bookings:
            ledger.append(
                dict.fromkeys(LEDGER_COLUMNS, "")
                | {
                    "ledger_id": booking.id,
                    "reference": reference if booking.reference is None else booking.reference,
                    "amount": booking.amount,
                    "currency": booking.currency,
                    "date": str(DAY_BEFORE + timedelta(booking.day)),
                    "status": booking.status,
                    "transaction_id": booking.names,
                }
            )
    transactions.sort(key=lambda record: record["createdAt"])
    return replace(made_up, transactions=transactions, ledger=ledger, planted=[])


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation(found: dict[str, set[Finding]], name: str) -> None:
    assert found[name] == set(SITUATIONS[name].found)
