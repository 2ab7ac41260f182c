"""The records that the stages give to one another.

Every type is immutable. Times are aware and in UTC; an amount always has its currency. Families and business dates
are not here: both depend on settings that may change after a record was stored, so they are computed in one place,
`sql/match/policy/known_records.sql`, when records are matched.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec


class Side(StrEnum):
    """The side of a record."""

    KSPAY = "kspay"
    LEDGER = "ledger"


class Family(StrEnum):
    """The meaning of a status, whatever word the source uses for it."""

    PAID = "paid"
    PENDING = "pending"  # KS Pay only
    UNPAID = "unpaid"  # ledger only
    FAILED = "failed"  # KS Pay only
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"


_NO_SEPARATORS = str.maketrans("", "", " -_\t\xa0")


def without_separators(word: str) -> str:
    """A word without its blanks, hyphens and underscores. SQL does the same with `translate`, in
    `match/policy/known_records`."""
    return word.translate(_NO_SEPARATORS)


def bare_word(word: str) -> str:
    """A word without what does not count in it, line breaks too: `Partially Refunded` is `partially_refunded`."""
    return without_separators("".join(word.split())).lower()


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Calendar days in the business time zone, first and last both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"a period cannot start on {self.first} and end on {self.last}")

    def utc_days(self, timezone: ZoneInfo) -> "Period":
        """The UTC days that together cover every instant of these business days."""
        start = datetime.combine(self.first, time(), timezone)
        end = datetime.combine(self.last + timedelta(days=1), time(), timezone)
        return Period(start.astimezone(UTC).date(), (end.astimezone(UTC) - timedelta(microseconds=1)).date())

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a record was read, so that a person finds it."""

    file: str
    """The name of the file, or for KS Pay the call: `GET /transaction 2026-03-01..2026-05-28 page 3`."""
    row: int
    """The number of the row as a spreadsheet shows it (the header is row 1); in an answer of KS Pay counted from 1."""


class RawRow(msgspec.Struct, frozen=True, gc=False):
    """A record as read, with the names and values of its source; JSON numbers with a point are Decimal."""

    place: Place
    values: Mapping[str, Any]


class _UniqueKey(str):
    """A key that equals only itself, not even the same text: no answer of a server can contain it."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


TEXT_FAULTS = _UniqueKey("\0faults")
"""The key in a record's values under which its reader notes faults of the text itself: a tuple of (field, text there,
why it cannot be used). Only `kspay.http.json_decoder` does so, for an answer that is not quite JSON."""


def comparable(reference: str | None) -> str | None:
    """A reference without what people write differently: `INV-00/12` and `inv 0012` are equal.

    Unicode NFKC, then case folding, then only letters, marks and decimal digits. If nothing is left, it is
    the reference itself, so that equal references are always equal here too.
    """
    if not reference:
        return reference
    if reference.isascii():
        return reference.translate(NO_ASCII_KEY).lower() or reference
    folded = unicodedata.normalize("NFKC", reference).casefold()
    kept = [c for c in folded if (kind := unicodedata.category(c))[0] in "LM" or kind == "Nd"]
    return "".join(kept) or reference


NO_ASCII_KEY = {code: None for code in range(128) if not chr(code).isalnum()}


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """One record of KS Pay, typed. A field is None where KS Pay has none (null, missing or blank)."""

    app_id: str
    transaction_id: str  # KS Pay's `tx_…`
    reference: str | None  # `referenceNumber`: the merchant's own
    currency: str  # ISO 4217 code, or one of `[currencies]`; upper case
    amount: Decimal  # major units, 0 or more
    status: str  # the word of KS Pay; "" if it has none
    created_at: datetime  # aware, UTC
    updated_at: datetime | None
    provider_order_id: str | None
    provider_txn_id: str | None
    payment_type: str | None
    provider_name: str | None
    provider_status: str | None
    place: Place

    @property
    def comparable(self) -> str | None:
        """The reference as `comparable` writes it."""
        return comparable(self.reference)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record of the merchant's ledger, typed. Known by (`source`, `ledger_id`) within its app."""

    app_id: str
    source: str  # the profile's name, else `default`; never the file's name
    ledger_id: str
    reference: str | None
    currency: str
    amount: Decimal  # major units; negative books a refund
    status: str  # the word of the ledger; "" if the column is missing or blank: paid
    dated_on: date | None  # the day as written, in the business time zone …
    dated_at: datetime | None  # … or the instant (aware, UTC), if the ledger has one; never both
    transaction_id: str | None
    provider_order_id: str | None
    provider_txn_id: str | None
    description: str | None
    place: Place

    @property
    def comparable(self) -> str | None:
        """The reference as `comparable` writes it."""
        return comparable(self.reference)


class Rejection(msgspec.Struct, frozen=True):
    """A record that cannot be used, with its place and why. It is quarantined, never dropped."""

    side: Side
    app_id: str
    source: str  # as of Entry; for KS Pay `kspay`
    record_id: str | None  # transaction or ledger id; None if it cannot be read
    place: Place
    field: str  # the faulty field as the source names it; several joined by ";"
    value: str  # its value as written; several joined by ";"
    reason: str  # why it cannot be used and what to do; several joined by ";"
    raw: str  # the whole record as JSON with sorted keys, without secrets
    currency: str | None = None  # if known
    amount: Decimal | None = None  # if it can be read surely, and its currency is known
    dated_on: date | None = None  # as of Entry
    dated_at: datetime | None = None  # likewise; for KS Pay `createdAt`
    typed: str | None = (
        None  # as `raw`, but typed, where it could be: written otherwise, it is the same record
    )


def with_source(written: str) -> list[tuple[str, str]]:
    """All ways to read an id as `source:id`, as (source, id)."""
    return [(written[:at], written[at + 1 :]) for at, letter in enumerate(written) if letter == ":"]


def possible_ids(written: str) -> set[str]:
    """The ids that a person may mean by this text."""
    return {written, *(ledger_id for _, ledger_id in with_source(written))}
