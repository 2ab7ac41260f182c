"""Bad records of every kind, which a client must quarantine."""

import json
from datetime import datetime
from decimal import Decimal
from random import Random

from reconcile.sandbox.listing import Listing
from reconcile.sandbox.shop import Record, Shop

_LONG = 1_000_000
_CHANGES: dict[str, Record] = {
    "null-fields": {"id": None, "amount": None, "currencyCode": None, "currencyId": None, "createdAt": None},
    "wrong-types": {"amount": ["12"], "status": 7, "createdAt": 1_700_000_000, "referenceNumber": {"a": 1}},
    "unknown-currency": {"currencyCode": "XBT", "currencyId": "c_0000000000"},
    "nan": {"amount": "NaN"},
    "huge": {"amount": "1e400"},
    "negative": {"amount": "-250"},
    "too-many-decimals": {"amount": "499.999"},
    "long-text": {"referenceNumber": "x" * _LONG},
}
_LITERALS = {"huge": b"1e400", "nan-literal": b"NaN", "infinity-literal": b"-Infinity"}
_BYTES = {
    "invalid-utf8": (b"BAD-", b"BAD-\xff\xc3"),
    "invalid-utf8-unread": (b'"origin":"', b'"origin":"\xe9'),
}


def add_bad_record(listing: Listing, shop: Shop, kind: str, at: datetime) -> None:
    """Add the records of a kind (one of `BAD_RECORDS`) to a listing, created at `at`."""
    rng = Random(f"{shop.seed}/spoilt/{kind}")
    record = shop.transaction(
        rng,
        family="paid",
        reference=f"BAD-{kind}",
        amount=Decimal(499),
        currency="INR",
        method="UPI",
        created_at=at,
        updated_at=at,
    )
    record |= _CHANGES.get(kind, {})
    if kind == "missing-fields":
        for name in ("amount", "createdAt", "currencyCode", "currencyId"):
            del record[name]
    elif kind == "no-zone":
        record["createdAt"] = record["createdAt"].removesuffix("Z")
    elif kind == "two-versions":
        listing.add(record | {"amount": "500"}, at=at)
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
    if kind in _LITERALS:  # the amount as a JSON number, without quotes
        text = json.dumps(record["amount"]).encode()
        body = body.replace(b'"amount":' + text, b'"amount":' + _LITERALS[kind])
    elif kind in _BYTES:
        body = body.replace(*_BYTES[kind])
    listing.add(record, at=at, body=body)
