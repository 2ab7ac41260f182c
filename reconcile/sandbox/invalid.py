"""Planted records of both sides that cannot be used: each must be quarantined, none may be matched."""

from collections.abc import Callable

from reconcile.sandbox.orders import Order
from reconcile.sandbox.shop import nanoid


def _no_number(order: Order) -> None:
    record = order.pay()
    record["amount"] = order.rng.choice(("NaN", "1e400", "twelve", None))
    order.plant("INVALID_RECORD", [record])


def _no_creation_time(order: Order) -> None:
    record = order.pay()
    record["createdAt"] = None
    order.plant("INVALID_RECORD", [record])


def _unknown_currency(order: Order) -> None:
    record = order.pay()
    record |= {"currencyCode": "XBT", "currencyId": nanoid(order.rng, "c_")}
    order.plant("INVALID_RECORD", [record])


def _too_many_decimals(order: Order) -> None:
    currency, amount = order.rng.choice((("INR", "499.999"), ("JPY", "980.5"), ("KWD", "4.9505")))
    order.priced(currency, amount)
    order.plant("INVALID_RECORD", [order.pay()])


def _below_zero(order: Order) -> None:
    order.priced("INR", "-250")
    order.plant("INVALID_RECORD", [order.pay()])


def _no_id(order: Order) -> None:
    record = order.pay()
    record["id"] = None
    order.plant("INVALID_RECORD", [record])


def _no_zone(order: Order) -> None:
    record = order.pay()
    record["createdAt"] = record["createdAt"].removesuffix("Z")
    order.plant("INVALID_RECORD", [record])


def _ledger_no_number(order: Order) -> None:
    order.book()
    order.plant("INVALID_RECORD", entries=[_damage(order, "amount", order.rng.choice(("n/a", "", "twelve")))])


def _ledger_no_such_day(order: Order) -> None:
    order.book()
    order.plant("INVALID_RECORD", entries=[_damage(order, "date", f"{order.day.year}-02-30")])


def _ledger_unknown_currency(order: Order) -> None:
    order.book()
    order.plant("INVALID_RECORD", entries=[_damage(order, "currency", "XBT")])


def _ledger_id_twice(order: Order) -> None:
    # Nobody knows which row is right, so both are quarantined; they count as one record, by their id.
    entry = order.book()
    order.book(ledger_id=entry, amount=order.amount + 100)
    order.plant("INVALID_RECORD", entries=[entry])


def _ledger_no_id(order: Order) -> None:
    order.book(ledger_id="")
    order.plant("INVALID_RECORD")


def _ledger_too_many_decimals(order: Order) -> None:
    order.priced("INR")
    order.book()
    order.plant("INVALID_RECORD", entries=[_damage(order, "amount", "499.005")])


def _damage(order: Order, column: str, value: str) -> str:
    row = order.books.ledger[-1]
    row[column] = value
    return row["ledger_id"]


INVALID_TRANSACTIONS: tuple[Callable[[Order], None], ...] = (
    _no_number,
    _no_creation_time,
    _unknown_currency,
    _too_many_decimals,
    _below_zero,
    _no_id,
    _no_zone,
)
INVALID_ENTRIES: tuple[Callable[[Order], None], ...] = (
    _ledger_no_number,
    _ledger_no_such_day,
    _ledger_unknown_currency,
    _ledger_id_twice,
    _ledger_no_id,
    _ledger_too_many_decimals,
)
