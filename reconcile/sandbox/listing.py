"""The transactions that the server holds, found by time, by id and by reference.

A listing must cost the server next to nothing, or it would be what a benchmark of the client measures:
each record's JSON is made once, rows stand sorted by their time, and a page is a slice of them.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from reconcile.sandbox.shop import Record, listed_at


class _Row:
    __slots__ = ("body",)

    def __init__(self, body: bytes) -> None:
        self.body = body


class Listing:
    """All transactions of the app, by `createdAt` (A: KS Pay does not say by which time it lists)."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._times: list[datetime] = []
        self._rows: list[_Row] = []  # parallel to _times
        self._by_id: dict[str, _Row] = {}
        self._by_reference: dict[str, _Row] = {}  # the newest of each reference
        for record in sorted(records, key=listed_at):
            self.add(record)

    def add(self, record: Record) -> None:
        """Take in a new transaction; of one reference, the last added is found by it."""
        instant = listed_at(record)
        row = _Row(_encode(record))
        place = bisect_right(self._times, instant)
        self._times.insert(place, instant)
        self._rows.insert(place, row)
        if record["id"] is not None:
            self._by_id[record["id"]] = row
        if record["referenceNumber"] is not None:
            self._by_reference[record["referenceNumber"]] = row

    def replace(self, record: Record) -> None:
        """Give a transaction, known by its id, new contents; its place stays."""
        self._by_id[record["id"]].body = _encode(record)

    def by_id(self, transaction_id: str) -> Record | None:
        """The transaction of this id."""
        return _decode(self._by_id.get(transaction_id))

    def by_reference(self, reference: str) -> Record | None:
        """The newest transaction of this reference."""
        return _decode(self._by_reference.get(reference))

    def page(self, days: tuple[date, date] | None, page: int, limit: int) -> bytes:
        """The JSON array of a page, newest first, of these UTC days (both included) or of all."""
        first, end = 0, len(self._rows)
        if days:
            first = bisect_left(self._times, datetime.combine(days[0], time(), UTC))
            end = bisect_left(self._times, datetime.combine(days[1] + timedelta(days=1), time(), UTC))
        upper = max(first, end - (page - 1) * limit)
        lower = max(first, upper - limit)
        rows = self._rows[lower:upper]
        rows.reverse()
        return b"[" + b",".join([row.body for row in rows]) + b"]"


def _encode(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _decode(row: _Row | None) -> dict[str, Any] | None:
    return json.loads(row.body) if row else None
