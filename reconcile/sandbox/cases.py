"""The planted errors: every type of discrepancy, in several ways.

Each function writes one order with its own reference, and plants exactly the discrepancies that the matching finds
for it with the default settings. There are also unusual orders without an error, which a careless reconciliation
would report.
"""

from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal

from reconcile.sandbox.invalid import INVALID_ENTRIES, INVALID_TRANSACTIONS
from reconcile.sandbox.orders import Order
from reconcile.sandbox.shop import nanoid

Case = Callable[[Order], None]

MARGIN_DAYS = 10
"""No case starts in the last days of the window, so that the end of the window never changes a case."""

_MINUTES = timedelta(minutes=10)
_DAYS = timedelta(days=1)
_AFTER_MIDNIGHT = time(0, 10)  # in Kolkata still the day before by UTC


def odd_reference(day: date) -> str:
    """A valid reference that spreadsheets or CSV readers easily break; a different one every day."""
    turn, kind = divmod(day.toordinal(), 13)
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    return (
        f"00{turn % 10_000:04d}",
        f"{turn % 90 + 1}E{turn // 90 % 90 + 5}",
        f"{months[turn % 12]}{turn // 12 % 28 + 1}",
        f"=SUM({turn}+1)",
        f"1234567890{turn:010d}",
        f"बिल-{turn}",
        f"{day.month}/{day.day}",
        f"+91 {turn}",
        f"-{turn}",
        f"@{turn}",
        f'ORD "VIP", {turn}',
        f"注文№{turn}",
        f"order’s {turn} <b>&amp;</b>",
    )[kind]


# Missing on one side


def _paid_not_booked(order: Order) -> None:
    order.plant("MISSING_IN_LEDGER", [order.pay()])


def _refunded_not_booked(order: Order) -> None:
    order.plant("MISSING_IN_LEDGER", [order.pay("refunded")])


def _retried_not_booked(order: Order) -> None:
    order.pay("failed", later=-_MINUTES)
    order.plant("MISSING_IN_LEDGER", [order.pay()])


def _reference_used_again(order: Order) -> None:
    order.pay()
    order.book()
    # More than the duplicate days later: no second charge of the same order, but a payment of its own.
    order.plant("MISSING_IN_LEDGER", [order.pay(later=8 * _DAYS)])


def _cash_sale(order: Order) -> None:
    order.plant("MISSING_IN_KSPAY", entries=[order.book(description="Cash at the counter")])


def _no_reference(order: Order) -> None:
    order.plant("MISSING_IN_KSPAY", entries=[order.book(reference="", status="")])


def _unknown_transaction(order: Order) -> None:
    order.plant("MISSING_IN_KSPAY", entries=[order.book(transaction_id=nanoid(order.rng, "tx_"))])


def _refund_without_payment(order: Order) -> None:
    order.plant("MISSING_IN_KSPAY", entries=[order.book("refunded")])


# Matched, but something differs


def _fee_deducted(order: Order) -> None:
    order.priced("INR")
    net = (order.amount * Decimal("0.98")).quantize(Decimal("0.01"))
    order.plant("AMOUNT_MISMATCH", [order.pay()], [order.book(amount=net)])


def _digits_swapped(order: Order) -> None:
    order.priced("INR", "1290")
    order.plant("AMOUNT_MISMATCH", [order.pay()], [order.book(amount=Decimal("1920.00"))])


def _rounded(order: Order) -> None:
    order.priced("INR", "2499.50")
    order.plant("AMOUNT_MISMATCH", [order.pay()], [order.book(amount=Decimal("2500.00"))])


def _one_fils_off(order: Order) -> None:
    order.priced("KWD", "7.995")
    order.plant("AMOUNT_MISMATCH", [order.pay()], [order.book(amount=Decimal("7.994"))])


def _zero_too_many(order: Order) -> None:
    order.priced("JPY", "1980")
    paid = order.pay()
    entry = order.book(amount=Decimal(19800), transaction_id=paid["id"], reference="")
    order.plant("AMOUNT_MISMATCH", [paid], [entry])


def _parts_a_paisa_short(order: Order) -> None:
    order.priced("INR", "1000.00")
    parts = [order.book(amount=Decimal("333.33")) for _ in range(3)]
    order.plant("AMOUNT_MISMATCH", [order.pay()], parts)


def _booked_in_rupees(order: Order) -> None:
    order.priced("USD", "49.99")
    order.plant("CURRENCY_MISMATCH", [order.pay()], [order.book(currency="INR")])


def _booked_converted(order: Order) -> None:
    # The amount differs as well, but amounts of two currencies are never compared.
    order.priced("USD", "79.99")
    entry = order.book(currency="INR", amount=Decimal("6672.77"))
    order.plant("CURRENCY_MISMATCH", [order.pay()], [entry])


def _dinar_for_dollar(order: Order) -> None:
    order.priced("KWD", "12.500")
    paid = order.pay()
    entry = order.book(currency="USD", transaction_id=paid["id"])
    order.plant("CURRENCY_MISMATCH", [paid], [entry])


def _booked_but_failed(order: Order) -> None:
    order.plant("STATUS_MISMATCH", [order.pay("failed")], [order.book()])


def _paid_but_open(order: Order) -> None:
    order.plant("STATUS_MISMATCH", [order.pay()], [order.book("unpaid")])


def _refunded_but_booked_paid(order: Order) -> None:
    paid = order.pay()
    order.refund(paid, order.created_at + 2 * _DAYS)
    order.plant("STATUS_MISMATCH", [paid], [order.book()])


def _paid_but_void(order: Order) -> None:
    paid = order.pay()
    order.plant("STATUS_MISMATCH", [paid], [order.book("cancelled", transaction_id=paid["id"])])


def _booked_but_pending(order: Order) -> None:
    # Old enough to be stale, but a pending payment with a paid entry is a wrong status and nothing else.
    order.plant("STATUS_MISMATCH", [order.pay("pending")], [order.book()])


def _booked_but_cancelled(order: Order) -> None:
    order.plant("STATUS_MISMATCH", [order.pay("cancelled")], [order.book()])


# Given back


def _refund_booked_but_paid(order: Order) -> None:
    order.priced("INR", "699.00")
    entries = [order.book(), order.book(days=2, amount=Decimal("-100.00"))]
    order.plant("REFUND_MISMATCH", [order.pay()], entries)


def _refund_booked_in_part(order: Order) -> None:
    # KS Pay gave all of it back, and the refund names the transaction where the sale has its reference.
    order.priced("INR", "1499.00")
    paid = order.pay()
    order.refund(paid, order.created_at + 2 * _DAYS)
    paid["status"] = "refunded"
    sale = order.book()
    part = order.book(days=2, amount=Decimal("-1000.00"), reference="", transaction_id=paid["id"])
    order.plant("REFUND_MISMATCH", [paid], [sale, part])


def _refund_booked_whole(order: Order) -> None:
    order.priced("INR", "2500.00")
    paid = order.pay()
    order.refund(paid, order.created_at + 2 * _DAYS)
    paid["status"] = "partially_refunded"
    entries = [order.book(), order.book(days=2, amount=Decimal("-2500.00"))]
    order.plant("REFUND_MISMATCH", [paid], entries)


# Twice


def _charged_twice(order: Order) -> None:
    paid = [order.pay(), order.pay(later=_MINUTES)]
    order.book()
    # All else being equal the lower transaction id takes the entry.
    order.plant("DUPLICATE_IN_KSPAY", [max(paid, key=lambda transaction: transaction["id"])])


def _charged_twice_one_refunded(order: Order) -> None:
    order.pay()
    again = order.pay(later=_MINUTES)
    order.refund(again, order.created_at + 3 * _DAYS)
    order.book("paid")
    order.plant("DUPLICATE_IN_KSPAY", [again])


def _charged_again_days_later(order: Order) -> None:
    order.pay()
    order.book()
    order.plant("DUPLICATE_IN_KSPAY", [order.pay(later=7 * _DAYS)])


def _charged_twice_not_booked(order: Order) -> None:
    order.plant("MISSING_IN_LEDGER", [order.pay()])
    order.plant("DUPLICATE_IN_KSPAY", [order.pay(later=_MINUTES)])


def _charged_thrice(order: Order) -> None:
    first = order.pay()
    order.book(transaction_id=first["id"])
    order.plant("DUPLICATE_IN_KSPAY", [order.pay(later=_MINUTES)])
    order.plant("DUPLICATE_IN_KSPAY", [order.pay(later=2 * _MINUTES)])


def _booked_twice(order: Order) -> None:
    order.pay()
    order.book()
    order.plant("DUPLICATE_IN_LEDGER", entries=[order.book()])


def _booked_again_by_transaction(order: Order) -> None:
    # The entry that names the transaction takes it; the one with only the reference is left.
    paid = order.pay()
    order.plant("DUPLICATE_IN_LEDGER", entries=[order.book()])
    order.book(days=1, reference="", transaction_id=paid["id"])


def _booked_again_days_later(order: Order) -> None:
    order.pay()
    order.book()
    order.plant("DUPLICATE_IN_LEDGER", entries=[order.book(days=3)])


def _cash_booked_twice(order: Order) -> None:
    order.plant("MISSING_IN_KSPAY", entries=[order.book()])
    order.plant("DUPLICATE_IN_LEDGER", entries=[order.book(days=1)])


def _booked_again_otherwise(order: Order) -> None:
    # Another amount repeats nothing: it is an entry of its own.
    order.pay()
    order.book()
    order.plant("MISSING_IN_KSPAY", entries=[order.book(amount=order.amount + 50)])


# Days and waiting


def _booked_late(order: Order) -> None:
    order.plant("DATE_MISMATCH", [order.pay()], [order.book(days=4)])


def _booked_very_late(order: Order) -> None:
    paid = order.pay()
    order.plant("DATE_MISMATCH", [paid], [order.book(days=9, transaction_id=paid["id"])])


def _booked_before(order: Order) -> None:
    entry = order.book()
    order.plant("DATE_MISMATCH", [order.pay(later=5 * _DAYS)], [entry])


def _booked_before_by_business_days(order: Order) -> None:
    # Four business days apart; by UTC days, which are not the shop's, only three in Kolkata.
    entry = order.book()
    order.created_at = order.shop.instant(order.day + 4 * _DAYS, _AFTER_MIDNIGHT)
    order.plant("DATE_MISMATCH", [order.pay()], [entry])


def _pending_alone(order: Order) -> None:
    order.plant("STALE_PENDING", [order.pay("pending")])


def _pending_and_open(order: Order) -> None:
    order.plant("STALE_PENDING", [order.pay("pending")], [order.book("unpaid")])


def _pending_and_void(order: Order) -> None:
    order.plant("STALE_PENDING", [order.pay("pending")], [order.book("cancelled")])


def _pending_then_paid(order: Order) -> None:
    order.plant("STALE_PENDING", [order.pay("pending", later=-_MINUTES)])
    order.pay()
    order.book()


# Words that nobody knows


def _unknown_word(order: Order) -> None:
    paid = order.pay()
    paid["status"] = "ON_HOLD"
    order.plant("UNKNOWN_STATUS", [paid])


def _unknown_word_booked(order: Order) -> None:
    paid = order.pay()
    paid["status"] = "Disputed"
    order.plant("UNKNOWN_STATUS", [paid], [order.book()])


def _no_word(order: Order) -> None:
    paid = order.pay()
    paid["status"] = None
    order.plant("UNKNOWN_STATUS", [paid], [order.book()])


def _unknown_ledger_word(order: Order) -> None:
    order.plant("UNKNOWN_STATUS", [order.pay()], [order.book(status="to be clarified")])


def _unknown_ledger_word_alone(order: Order) -> None:
    order.plant("UNKNOWN_STATUS", entries=[order.book(status="suspense")])


# No error, however it looks


def _odd_but_right(order: Order) -> None:
    order.pay()
    order.book(days=1)


def _row_twice(order: Order) -> None:
    order.pay()
    order.book()
    order.books.ledger.append(dict(order.books.ledger[-1]))


def _only_the_transaction_named(order: Order) -> None:
    order.reference = None
    paid = order.pay()
    order.book(transaction_id=paid["id"], reference="")


def _exactly_the_tolerance(order: Order) -> None:
    # Three business days apart, although the payment's UTC day in Kolkata is a fourth day away.
    order.created_at = order.shop.instant(order.day + _DAYS, _AFTER_MIDNIGHT)
    order.pay()
    order.book(days=3)


def _currency_by_id_only(order: Order) -> None:
    order.pay()["currencyCode"] = None
    order.book()


def _refunded_and_void(order: Order) -> None:
    order.refund(order.pay(), order.created_at + 4 * _DAYS)
    order.book("cancelled")


def _provider_ids(order: Order) -> None:
    paid = order.pay()
    order.book(provider_order_id=paid["providerOrderId"], provider_txn_id=paid["providerTxnId"])


_HARMLESS: tuple[Case, ...] = (
    _odd_but_right,
    _row_twice,
    _odd_but_right,
    _only_the_transaction_named,
    _exactly_the_tolerance,
    _currency_by_id_only,
    _refunded_and_void,
    _provider_ids,
)

_CYCLE: tuple[tuple[Case, ...], ...] = (
    # One line a day, then from the start again; at each return the next case of the line.
    _HARMLESS,
    (_paid_not_booked, _refunded_not_booked, _retried_not_booked, _reference_used_again),
    (_cash_sale, _no_reference, _unknown_transaction, _refund_without_payment),
    (_fee_deducted, _digits_swapped, _parts_a_paisa_short, _rounded, _one_fils_off, _zero_too_many),
    (_booked_in_rupees, _booked_converted, _dinar_for_dollar),
    (_refund_booked_but_paid, _refund_booked_in_part, _refund_booked_whole),
    (
        _booked_but_failed,
        _paid_but_open,
        _refunded_but_booked_paid,
        _paid_but_void,
        _booked_but_pending,
        _booked_but_cancelled,
    ),
    (
        _charged_twice,
        _charged_twice_one_refunded,
        _charged_again_days_later,
        _charged_twice_not_booked,
        _charged_thrice,
    ),
    (
        _booked_twice,
        _booked_again_by_transaction,
        _booked_again_days_later,
        _cash_booked_twice,
        _booked_again_otherwise,
    ),
    (_booked_late, _booked_very_late, _booked_before, _booked_before_by_business_days),
    _HARMLESS,
    (_pending_alone, _pending_and_open, _pending_and_void, _pending_then_paid),
    (_unknown_word, _unknown_word_booked, _no_word, _unknown_ledger_word, _unknown_ledger_word_alone),
    INVALID_TRANSACTIONS,
    INVALID_ENTRIES,
    _HARMLESS,
)


def write_case(order: Order) -> None:
    """Write the case of the order's day, unless the window ends too soon after it."""
    if order.age < MARGIN_DAYS:
        return
    turn, place = divmod(order.day.toordinal(), len(_CYCLE))
    cases = _CYCLE[place]
    # By daylight and well before midnight, so that a case of several payments stays on its day.
    clock = time(10 + order.rng.randrange(10), order.rng.randrange(60), order.rng.randrange(60))
    order.created_at = order.shop.instant(order.day, clock)
    if cases is _HARMLESS or order.day.toordinal() % 3 == 0:
        order.reference = odd_reference(order.day)
    cases[(turn + (place if cases is _HARMLESS else 0)) % len(cases)](order)
