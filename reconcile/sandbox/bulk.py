"""Millions of transactions for benchmarks: each row is made from its number when it is requested."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.listing import Listing, TimeRange, place, with_repeats
from reconcile.sandbox.refusals import Refused
from reconcile.sandbox.shop import Record, Shop, wire_time

_LATER = 90_000  # milliseconds between the creation of a row and its last update
_SPREAD = 387_420_489  # has no factor in common with 10**9, so every number gets its own id
IDS = 10**9
"""How many ids there are, so how many rows there can be."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAMILIES = ("paid",) * 16 + ("failed", "failed", "cancelled", "refunded")


class Bulk(Listing):
    """`rows` transactions, spread evenly over the UTC days from `first_day` on, in constant memory.

    They never change, and none can be added: such calls are refused as invalid requests.
    """

    def __init__(self, shop: Shop, first_day: date, days: int, rows: int, behaviour: Behaviour) -> None:
        super().__init__([], behaviour)
        self._count = rows
        self._start = _milliseconds(datetime.combine(first_day, time(), UTC))
        self._length = days * 86_400_000
        self._seed = shop.seed % IDS
        self._templates = [_template(shop, family, number) for number, family in enumerate(_FAMILIES)]

    def add(self, record: Record, *, at: datetime | None = None, body: bytes | None = None) -> None:  # noqa: ARG002
        """Refused: rows made in bulk do not change."""
        raise Refused("systemError", "invalidRequest")

    def change(self, transaction_id: str, now: datetime, fields: Record) -> Record:  # noqa: ARG002
        """Refused: rows made in bulk do not change."""
        raise Refused("systemError", "invalidRequest")

    def by_id(self, transaction_id: str) -> bytes | None:
        """The JSON of the transaction with this id."""
        digits = transaction_id.removeprefix("tx_")
        if not (digits.isascii() and digits.isdigit()):
            return None
        number = (int(digits) - self._seed) * pow(_SPREAD, -1, IDS) % IDS
        return self._body(number) if number < self._count else None

    def by_reference(self, reference: str) -> bytes | None:
        """The JSON of the transaction with this reference."""
        digits = reference.removeprefix("ORD-")
        if not (digits.isascii() and digits.isdigit() and f"ORD-{int(digits)}" == reference):
            return None
        return self._body(int(digits)) if int(digits) < self._count else None

    def page(self, time_range: TimeRange | None, first: int, count: int | None) -> tuple[list[bytes], int]:
        """See `Listing.page`."""
        low, high = 0, self._count
        if time_range:
            low, high = (self._first_at(_milliseconds(instant)) for instant in time_range)
        repeat = self._behaviour.repeat_every
        total = with_repeats(high - low, repeat)
        end = total if count is None else min(total, first + count)
        places = [place(row, repeat) for row in range(first, end)]
        if self._behaviour.order == "oldest":
            return [self._body(low + row) for row in places], total
        return [self._body(high - 1 - row) for row in places], total

    def _first_at(self, instant: int) -> int:
        """The first row that is listed at this instant (in milliseconds) or later."""
        since = instant - self._start - (_LATER if self._behaviour.filters_by == "updatedAt" else 0)
        return min(self._count, max(0, -(-since * self._count // self._length)))

    def _body(self, number: int) -> bytes:
        created = self._start + number * self._length // self._count
        return self._templates[number % len(self._templates)] % {
            b"id": (number * _SPREAD + self._seed) % IDS,
            b"number": number,
            b"major": number * 7919 % 9900 + 100,
            b"minor": number * 31 % 90 + 10,
            b"created": _wire(created),
            b"updated": _wire(created + _LATER),
        }


def _template(shop: Shop, family: str, number: int) -> bytes:
    record = shop.transaction(
        Random(f"{shop.seed}/bulk/{number}"),
        family=family,
        reference="ORD-%(number)d",
        amount=Decimal(1),
        currency="INR",
        method=("UPI", "CARD", "NETBANKING", "WALLET")[number % 4],
        created_at=_EPOCH,
        updated_at=_EPOCH,
    )
    record |= {
        "id": "tx_%(id)09d",
        "providerOrderId": "order_%(number)014d",
        "amount": "%(major)d.%(minor)d",
        "createdAt": "%(created)s",
        "updatedAt": "%(updated)s",
    }
    if record["providerTxnId"]:
        record["providerTxnId"] = "pay_%(number)014d"
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


_days: dict[int, str] = {}


def _wire(instant: int) -> bytes:
    """Milliseconds since 1970 as `wire_time` writes them. There are few days, so their texts are kept."""
    day, rest = divmod(instant, 86_400_000)
    text = _days.get(day)
    if text is None:
        text = _days[day] = wire_time(_EPOCH + timedelta(days=day))[:11]
    minutes, rest = divmod(rest, 60_000)
    return b"%s%02d:%02d:%02d.%03dZ" % (text.encode(), minutes // 60, minutes % 60, rest // 1000, rest % 1000)


def _milliseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)
