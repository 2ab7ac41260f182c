"""What an import makes of rows that share a `ledger_id`, counted without a database: for `ledger inspect`.

The same rule as sql/load/take_in_entries.sql: equal rows are one entry, different ones are all quarantined, and so is a
row whose id another row has that cannot be read. tests/integration/load/test_same_ids.py gives the two the same random
rows, and they must say the same of each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reconcile.core.records import Entry, Rejection

_NO_JOINTS = str.maketrans("", "", " -_\t\xa0")


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import would count."""

    read: int
    entries: int
    repeats: int
    quarantined: int
    refused: Sequence[tuple[int, str]]
    """Rows that go to quarantine, each with its reason, by row."""


@dataclass(slots=True)
class SameIds:
    """The rows of one import, by id."""

    _read: int = 0
    _rows: dict[tuple[str, str], dict[object, tuple[str, int]]] = field(default_factory=dict)
    """By app and id, the row that stands for all that say the same, with its status as written: that of the last
    status by code points, the first of several."""
    _broken: dict[tuple[str, str], int] = field(default_factory=dict)
    """By app and id, the first row that cannot be read."""
    _contents: set[tuple[str, str, str]] = field(default_factory=set)
    _nameless: int = 0
    _refused: list[tuple[int, str]] = field(default_factory=list)

    def add(self, usable: Iterable[Entry], refused: Iterable[Rejection]) -> None:
        """Take some rows into account."""
        for entry in usable:
            self._read += 1
            status = entry.status.lower().translate(_NO_JOINTS) or "paid"
            says = (
                entry.reference, entry.currency, entry.amount, status, entry.dated_on, entry.dated_at,
                entry.transaction_id, entry.provider_order_id, entry.provider_txn_id, entry.description,
            )  # fmt: skip
            said = self._rows.setdefault((entry.app_id, entry.ledger_id), {})
            held = said.get(says)
            if held is None or (entry.status, -entry.place.row) > (held[0], -held[1]):
                said[says] = entry.status, entry.place.row
        for one in refused:
            self._read += 1
            self._refused.append((one.place.row, one.reason))
            if one.record_id is None:
                self._nameless += 1
                continue
            key = (one.app_id, one.record_id)
            self._broken[key] = min(one.place.row, self._broken.get(key, one.place.row))
            self._contents.add((*key, one.typed or one.raw))

    def counts(self) -> Counts:
        """What an import would make of all rows so far."""
        entries = quarantined = 0
        refused = list(self._refused)
        for key, told in self._rows.items():
            rows = [row for _, row in told.values()]
            if key in self._broken:
                row = self._broken[key]
                reason = f"row {row} has the same ledger_id and cannot be read; correct it"
            elif len(rows) > 1:
                reason = (
                    f"rows {min(rows)} and {max(rows)} differ but have the same ledger_id; give each its own"
                )
            else:
                entries += 1
                continue
            quarantined += len(rows)
            refused += [(row, reason) for row in rows]
        quarantined += self._nameless + len(self._contents)
        return Counts(self._read, entries, self._read - entries - quarantined, quarantined, sorted(refused))
