"""The transactions that the server holds, found by time, by id and by reference.

A listing must cost the server almost nothing, or a benchmark of the client would measure the server. So each record's
JSON is made once, the rows are kept sorted by their times, and a page is a slice of them.
"""

import json
import re
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from random import Random
from typing import Any

from reconcile.sandbox.behaviour import Behaviour
from reconcile.sandbox.shop import Record, listed_at, wire_time

TimeRange = tuple[datetime, datetime]
"""The instants of a date range: the first, and the first after it."""

_Key = tuple[datetime, int]  # an instant, and the number of a row, which sorts rows of the same instant


@dataclass(slots=True)
class _Row:
    body: bytes
    created: _Key
    updated: _Key


class Listing:
    """All transactions of the app. Any thread may read and change them."""

    def __init__(self, records: Iterable[Record], behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._lock = threading.RLock()
        self._rows: list[_Row] = []  # by number
        self._created: list[_Key] = []
        self._updated: list[_Key] = []
        self._by_id: dict[str, _Row] = {}
        self._by_reference: dict[str, _Row] = {}  # the newest of each reference
        self._ids: list[str] = []
        self._sorted: tuple[TimeRange, list[_Key]] | None = None
        self._asked = 0
        for record in sorted(records, key=listed_at):
            self.add(record)

    def add(self, record: Record, *, at: datetime | None = None, body: bytes | None = None) -> None:
        """Add a new transaction. The last one added with a reference is the one that is found by it.

        `at` (aware) is the instant by which it is listed, if not its own. `body` is what is sent, if not its JSON.
        """
        created = at or listed_at(record)
        updated = at or _instant(record["updatedAt"]) or created
        with self._lock:
            number = len(self._rows)
            row = _Row(body or self._encode(record), (created, number), (updated, number))
            self._rows.append(row)
            insort(self._created, row.created)
            insort(self._updated, row.updated)
            self._sorted = None
            for name, rows in (("id", self._by_id), ("referenceNumber", self._by_reference)):
                if isinstance(record.get(name), str):
                    rows[record[name]] = row
            if isinstance(record.get("id"), str) and body is None:
                self._ids.append(record["id"])

    def change(self, transaction_id: str, now: datetime, fields: Record) -> Record:
        """Change fields of a transaction and return it. `updatedAt` becomes `now`, unless `fields` has it.

        Each change is later than the one before. Raises KeyError for an unknown id.
        """
        with self._lock:
            row = self._by_id[transaction_id]
            record = _decode(row)
            later = max(now, row.updated[0] + timedelta(milliseconds=1))
            record |= {"updatedAt": wire_time(later)} | fields
            row.body = self._encode(record)
            del self._updated[bisect_left(self._updated, row.updated)]
            row.updated = (_instant(record["updatedAt"]) or later, row.updated[1])
            insort(self._updated, row.updated)
            self._sorted = None
            return record

    def by_id(self, transaction_id: str) -> bytes | None:
        """The JSON of the transaction with this id."""
        row = self._by_id.get(transaction_id)
        return row.body if row else None

    def by_reference(self, reference: str) -> bytes | None:
        """The JSON of the newest transaction with this reference."""
        row = self._by_reference.get(reference)
        return row.body if row else None

    def random_id(self, rng: Random) -> str | None:
        """The id of a random transaction, of those without a `body` of their own."""
        with self._lock:
            return rng.choice(self._ids) if self._ids else None

    def records(self) -> list[Record]:
        """All transactions by time of creation, with their amounts as text."""
        with self._lock:
            return [_decode(self._rows[number]) for _, number in self._created]

    def page(self, time_range: TimeRange | None, first: int, count: int | None) -> tuple[list[bytes], int]:
        """The JSON of `count` rows of a listing (None: all) from row `first` on, and how many rows the listing has."""
        with self._lock:
            self._asked += 1
            keys, low, high = self._select(time_range)
            repeat = self._behaviour.repeat_every
            total = with_repeats(high - low, repeat)
            end = total if count is None else min(total, first + count)
            if first >= end:
                return [], total
            start, stop = place(first, repeat), place(end - 1, repeat) + 1
            rows = self._slice(keys, low, high, start, stop)
            if repeat:
                rows = [rows[place(number, repeat) - start] for number in range(first, end)]
            return [self._rows[number].body for _, number in rows], total

    def _select(self, time_range: TimeRange | None) -> tuple[list[_Key], int, int]:
        """The sorted keys of a listing, and where the range begins and ends in them."""
        by_update = self._behaviour.filters_by == "updatedAt"
        ordered_by_update = self._behaviour.order == "updated"
        keys = self._updated if by_update else self._created
        if time_range is None:
            return (self._updated if ordered_by_update else self._created), 0, len(keys)
        low, high = (bisect_left(keys, (instant, -1)) for instant in time_range)
        if by_update == ordered_by_update:
            return keys, low, high
        if self._sorted is None or self._sorted[0] != time_range:
            rows = [self._rows[number] for _, number in keys[low:high]]
            chosen = sorted(row.updated if ordered_by_update else row.created for row in rows)
            self._sorted = time_range, chosen
        return self._sorted[1], 0, high - low

    def _slice(self, keys: list[_Key], low: int, high: int, start: int, stop: int) -> list[_Key]:
        forward = self._behaviour.order == "oldest"
        lower, upper = (low + start, low + stop) if forward else (high - stop, high - start)
        if not self._behaviour.shuffle_ties:
            chosen = keys[lower:upper]
        else:
            # Whole groups are shuffled before the page is cut out: a row may move to the page before or after.
            begin = max(low, bisect_left(keys, (keys[lower][0], -1)))
            finish = min(high, bisect_left(keys, (keys[upper - 1][0] + timedelta.resolution, -1)))
            rng = Random(f"{self._behaviour.seed}/ties/{self._asked}")
            chosen = []
            for _, group in groupby(keys[begin:finish], key=lambda key: key[0]):
                tied = list(group)
                rng.shuffle(tied)
                chosen += tied
            chosen = chosen[lower - begin : upper - begin]
        if not forward:
            chosen.reverse()
        return chosen

    def _encode(self, record: Record) -> bytes:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        if self._behaviour.amounts_as_numbers:
            text = re.sub(r'"amount":"(-?(?:0|[1-9]\d*)(?:\.\d+)?)"', r'"amount":\1', text, count=1)
        return text.encode()


def with_repeats(rows: int, every: int) -> int:
    """How many rows are listed if the last row is repeated after every `every` rows."""
    return rows + (rows // every if every else 0)


def place(number: int, every: int) -> int:
    """Which row is at a place of the listing if the last row is repeated after every `every` rows."""
    if not every:
        return number
    block, offset = divmod(number, every + 1)
    return block * every + min(offset, every - 1)


def _decode(row: _Row) -> Record:
    # Some bodies hold bytes that are not UTF-8; the others must be readable all the same.
    record: Record = json.loads(row.body.decode(errors="replace"), parse_float=str)
    if type(record.get("amount")) is int:
        record["amount"] = str(record["amount"])
    return record


def _instant(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
