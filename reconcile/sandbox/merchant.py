"""A made-up merchant: the payments of its days at KS Pay, its ledger, and what is wrong between the two.

No clock is read, and no file is written except the ledger. The same seed and days give the same bytes. What happens
on a day depends only on the seed and the day, so a window that starts a day later has the same payments. Only payments
that were still open at the end of the first window have moved on: they are paid, settled and booked.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from reconcile.core.writing import whole_file
from reconcile.sandbox.cases import write_case
from reconcile.sandbox.orders import LEDGER_COLUMNS, Books, Order, Planted
from reconcile.sandbox.shop import Record, Shop, listed_at

_ORDERS_A_DAY = 14.5
_WEEK = (0.95, 0.9, 0.92, 0.98, 1.1, 1.25, 1.05)
"""How busy each day of the week is, from Monday on."""

_STALE = timedelta(hours=24)  # the default of RECONCILE_STALE_PENDING_HOURS


@dataclass(frozen=True, repr=False)
class Merchant:
    """A merchant: its transactions at KS Pay, and its own ledger."""

    shop: Shop
    first_day: date
    last_day: date
    transactions: list[Record]
    """In the form in which KS Pay sends them, by time of creation; a few cannot be used."""
    ledger: list[dict[str, str]]
    """The rows of the ledger, by column; a few cannot be read."""
    planted: list[Planted]
    """Exactly what a reconciliation of all days must report with the default settings."""

    def __repr__(self) -> str:
        days = f"{self.first_day} to {self.last_day}"
        return f"Merchant({self.app_id}, {days}, {len(self.transactions)} transactions)"

    @classmethod
    def made_up(cls, seed: int, first_day: date, days: int, timezone: str = "Asia/Kolkata") -> "Merchant":
        """The merchant of a seed, over this many business days. Raises ValueError for less than one day.

        It has about 25 transactions a day. With 26 days or more it has every type of discrepancy.
        """
        if days < 1:
            raise ValueError(f"a merchant needs at least one day, not {days}")
        last_day = first_day + timedelta(days=days - 1)
        shop = Shop.of(seed, ZoneInfo(timezone))
        books = Books()
        for offset in range(days):
            _write_day(shop, books, first_day + timedelta(days=offset), last_day)
        transactions = sorted(books.transactions, key=listed_at)
        return cls(shop, first_day, last_day, transactions, books.ledger, books.planted)

    @property
    def app_id(self) -> str:
        """The app's id (`ap_…`)."""
        return self.shop.app_id

    @property
    def access_key(self) -> str:
        """The access key; everybody can see that it belongs to a sandbox."""
        return self.shop.access_key

    @property
    def secret_key(self) -> str:
        """The secret key; everybody can see that it belongs to a sandbox."""
        return self.shop.secret_key

    @property
    def created_on(self) -> date:
        """The app's creation day (UTC): the day before the first UTC day that can have a payment."""
        return self.shop.instant(self.first_day, time()).date() - timedelta(days=1)

    @property
    def currencies(self) -> list[Record]:
        """The result of `GET /currencies`."""
        return self.shop.currencies()

    @property
    def payment_methods(self) -> dict[str, list[Record]]:
        """The results of `GET /{currencyId}/payment-methods`, by currency id."""
        return self.shop.payment_methods()

    def write_ledger(self, path: Path) -> None:
        """Write the ledger as CSV, in UTF-8 with the standard column names, whole or not at all.

        Raises UsageError if it cannot be written, DiskFull if it has no room.
        """
        with whole_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, LEDGER_COLUMNS)
            writer.writeheader()
            writer.writerows(self.ledger)


def _write_day(shop: Shop, books: Books, day: date, last: date) -> None:
    busy = _ORDERS_A_DAY * _WEEK[day.weekday()] * Random(f"{shop.seed}/{day}").uniform(0.75, 1.25)
    for number in range(1, round(busy) + 1):
        order = Order(shop, books, day, number, last)
        order.rng.choices(list(_ORDINARY), list(_ORDINARY.values()))[0](order)
    # The number of ordinary orders differs from day to day; these numbers are never among them.
    for number, write in enumerate(_LATE, start=800):
        write(Order(shop, books, day, number, last))
    write_case(Order(shop, books, day, 900, last))


# Ordinary orders


def _paid(order: Order) -> None:
    _settle(order, order.pay())


def _paid_after_failed_tries(order: Order) -> None:
    _keep_off_midnight(order)
    for attempt in range(order.rng.choice((1, 1, 2)), 0, -1):
        order.pay("failed", later=timedelta(minutes=-7 * attempt))
    _settle(order, order.pay())


def _failed(order: Order) -> None:
    _keep_off_midnight(order)
    order.pay("failed")
    if order.rng.random() < 0.3:
        order.pay("failed", later=timedelta(minutes=4))
    _perhaps_invoiced(order)


def _cancelled(order: Order) -> None:
    order.pay("cancelled")
    _perhaps_invoiced(order)


def _refunded(order: Order) -> None:
    paid = order.pay()
    refunded_after = timedelta(days=order.rng.randrange(1, 9), minutes=order.rng.randrange(600))
    done = order.created_at + refunded_after < order.shop.day_end(order.last)
    if done:
        order.refund(paid, order.created_at + refunded_after)
    order.book("refunded" if done else "paid", days=_settlement_days(order))


def _invoice_never_paid(order: Order) -> None:
    order.book("unpaid")


_ORDINARY: dict[Callable[[Order], None], float] = {
    _paid: 82,
    _paid_after_failed_tries: 8,
    _failed: 3.5,
    _cancelled: 2.5,
    _refunded: 3,
    _invoice_never_paid: 1,
}


def _settle(order: Order, paid: Record) -> None:
    """Book a paid transaction in one of the ways in which people and systems of merchants do it."""
    names = {}
    if order.rng.random() < 0.3:
        names["transaction_id"] = paid["id"]
        if order.rng.random() < 0.2:
            names["reference"] = ""
    if order.rng.random() < 0.15:
        names |= {"provider_order_id": paid["providerOrderId"], "provider_txn_id": paid["providerTxnId"]}
    order.book(days=_settlement_days(order), **names)


def _settlement_days(order: Order) -> int:
    return order.rng.choices((0, 1, 2), (6, 3, 1))[0]


def _perhaps_invoiced(order: Order) -> None:
    if order.rng.random() < 0.4:
        order.book(order.rng.choice(("unpaid", "cancelled")))


def _keep_off_midnight(order: Order) -> None:
    # All tries of an order are on one day, so that they are always in the same window.
    clock = order.created_at.astimezone(order.shop.timezone).time()
    if not 1 <= clock.hour < 23:
        order.created_at = order.shop.instant(order.day, clock.replace(hour=21))


# Orders that are not finished when the window ends


def _first_instant(order: Order) -> None:
    order.created_at = order.shop.instant(order.day, time())
    _pending_at_the_end(order, last_age=0)


def _last_instant(order: Order) -> None:
    order.created_at = order.shop.day_end(order.day) - timedelta(milliseconds=1)
    _pending_at_the_end(order, last_age=1)


def _slow(order: Order) -> None:
    _pending_at_the_end(order, last_age=0)


def _pending_at_the_end(order: Order, last_age: int) -> None:
    """Pending if the window ends at most this many days later; else paid and booked."""
    if order.age > last_age:
        _settle(order, order.pay())
        return
    pending = order.pay("pending")
    if order.shop.day_end(order.last) - order.created_at > _STALE:
        order.plant("STALE_PENDING", [pending])
    elif order.rng.random() < 0.5:
        order.book("unpaid")


def _booked_the_next_day(order: Order) -> None:
    paid = order.pay()
    if order.age == 0:
        order.plant("TIMING_DIFFERENCE", [paid])
    else:
        order.book(days=1)


def _booked_before_kspay_shows_it(order: Order) -> None:
    entry = order.book()
    if order.age == 0:
        order.plant("TIMING_DIFFERENCE", entries=[entry])
    else:
        after_midnight = timedelta(seconds=order.rng.randrange(5, 900))
        order.created_at = order.shop.day_end(order.day) + after_midnight
        order.pay()


_LATE: tuple[Callable[[Order], None], ...] = (
    _first_instant,
    _last_instant,
    _slow,
    _booked_the_next_day,
    _booked_the_next_day,
    _booked_the_next_day,
    _booked_before_kspay_shows_it,
    _booked_before_kspay_shows_it,
)
