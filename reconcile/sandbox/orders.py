"""One order of the shop: its payments at KS Pay, its entries in the ledger, and the planted discrepancies."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from reconcile.sandbox.shop import (
    CURRENCY_WEIGHTS,
    LEDGER_WORDS,
    MINOR_DIGITS,
    WORDS,
    Record,
    Shop,
    wire_time,
)

LEDGER_COLUMNS = (
    "ledger_id",
    "reference",
    "amount",
    "currency",
    "date",
    "status",
    "transaction_id",
    "provider_order_id",
    "provider_txn_id",
    "description",
)
_GOODS = (
    "Steel bottle, 1 l",
    'Tablet stand 10"',
    "Cotton kurta – blue",
    "चाय मसाला 250 g",
    "Desk lamp",
    "Notebook A5; ruled",
    "Café filter No. 4",
    "Yoga mat",
)


@dataclass(frozen=True)
class Planted:
    """A discrepancy that a reconciliation of the whole period must report."""

    type: str
    transaction_ids: tuple[str, ...] = ()
    ledger_ids: tuple[str, ...] = ()


@dataclass
class Books:
    """All that the orders have written so far, in this order."""

    transactions: list[Record] = field(default_factory=list)
    ledger: list[dict[str, str]] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)


class Order:
    """One order. Its random values depend only on (seed, day, number), so no other order and no window changes it.

    What it writes may also depend on `age`, the days from its day to the last day of the window: a payment that is
    pending today is paid when the window ends tomorrow.
    """

    def __init__(self, shop: Shop, books: Books, day: date, number: int, last: date) -> None:
        self.shop = shop
        self.books = books
        self.day = day
        self.last = last
        self.age = (last - day).days
        self.rng = Random(f"{shop.seed}/{day}/{number}")
        self.reference: str | None = f"ORD-{day:%Y-%j}{number:03d}"
        self.currency = self.rng.choices(list(CURRENCY_WEIGHTS), list(CURRENCY_WEIGHTS.values()))[0]
        self.amount = shop.price(self.rng, self.currency)
        self.method = shop.method(self.rng, self.currency)
        self.created_at = shop.moment(self.rng, day)
        self.goods = self.rng.choice(_GOODS)
        self._ledger_id = f"V-{day:%y%j}{number:03d}"
        self._bookings = 0

    def priced(self, currency: str, amount: str | None = None) -> None:
        """Fix the currency, and the price or draw a new one."""
        self.currency = currency
        self.method = self.shop.method(self.rng, currency)
        self.amount = Decimal(amount) if amount else self.shop.price(self.rng, currency)

    def pay(self, family: str = "paid", *, later: timedelta = timedelta(0)) -> Record:
        """A try to pay that ended in this family, so much later than the order's moment (or earlier)."""
        created_at = self.created_at + later
        transaction = self.shop.transaction(
            self.rng,
            family=family,
            reference=self.reference,
            amount=self.amount,
            currency=self.currency,
            method=self.method,
            created_at=created_at,
            updated_at=created_at + timedelta(milliseconds=self.rng.randrange(0, 90_000)),
        )
        self.books.transactions.append(transaction)
        return transaction

    def refund(self, transaction: Record, at: datetime) -> None:
        """Turn a paid transaction into a refunded one."""
        transaction["status"] = self.rng.choice(WORDS["refunded"])
        transaction["providerStatus"] = "refunded"
        transaction["updatedAt"] = wire_time(at)

    def book(
        self, family: str = "paid", *, days: int = 0, amount: Decimal | None = None, **columns: str
    ) -> str:
        """An entry of this family, dated `days` after the order's business date, and its ledger id.

        No entry is dated after the last day of the window. `columns` overrule what is made here.
        """
        booked_on = min(self.shop.business_date(self.created_at) + timedelta(days=days), self.last)
        digits = MINOR_DIGITS[columns.get("currency", self.currency)]
        row = {
            "ledger_id": self._next_ledger_id(),
            "reference": self.reference or "",
            "amount": f"{self.amount if amount is None else amount:.{digits}f}",
            "currency": self.currency,
            "date": booked_on.isoformat(),
            "status": self.rng.choice(LEDGER_WORDS[family]),
            "transaction_id": "",
            "provider_order_id": "",
            "provider_txn_id": "",
            "description": self.goods,
        } | columns
        self.books.ledger.append(row)
        return row["ledger_id"]

    def plant(self, kind: str, transactions: Iterable[Record] = (), entries: Iterable[str] = ()) -> None:
        """Note what a reconciliation must report of this order."""
        ids = tuple(transaction["id"] for transaction in transactions if transaction["id"] is not None)
        self.books.planted.append(Planted(kind, ids, tuple(entries)))

    def _next_ledger_id(self) -> str:
        # Book-keepers add a letter to the number of a second voucher of an order.
        letter = " BCDEFGH"[self._bookings].strip()
        self._bookings += 1
        return self._ledger_id + letter
