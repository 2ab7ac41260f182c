"""The oracle's bridge: from the KS Pay total of a period to its ledger total, in each currency.

It knows the records, what was matched and what is wrong, and nothing of the engine's SQL. Readings:

 1. The two totals are those of summary.csv: every record dated in the period with its own amount, and nothing of the
    quarantine.
 2. What only KS Pay has is taken off, what only the ledger has is put on: each record dated in the period, in the
    line of what is wrong with it, or excluded. A negative entry of a booking is a refund, matched or not.
 3. A match counts with all its records, if any of them is dated in the period; what of them is dated outside is taken
    back in `other_days`. The difference of its sides is the expected fee (in `fees`), and the rest: `tolerated`
    without a discrepancy, else `amounts`; in `currencies` where its sides have several.
 4. Of a match, each line counts one for each currency; of what is alone, each record counts one.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from tests.oracle.matching import E, Record, T

_ALONE: Mapping[str | None, str] = {
    None: "excluded_in_",
    "TIMING_DIFFERENCE": "timing_in_",
    "DUPLICATE_IN_KSPAY": "duplicates_in_",
    "DUPLICATE_IN_LEDGER": "duplicates_in_",
    "STALE_PENDING": "statuses_in_",
    "UNKNOWN_STATUS": "statuses_in_",
}


class Bridge:
    """The lines of all records that were added, by currency and name: how many, and how much they add.

    `is_inside` says of a record whether it is dated in the period.
    """

    def __init__(self, is_inside: Callable[[T | E], bool]) -> None:
        self.is_inside = is_inside
        self.lines: dict[tuple[str, str], tuple[int, Decimal]] = {}

    def match(self, ts: Sequence[Record], es: Sequence[Record], types: Sequence[str], fee: Decimal) -> None:
        """Add a match."""
        parts = [part for record in (*ts, *es) for part in record.parts]
        if not any(map(self.is_inside, parts)):
            return
        for currency in {part.currency for part in parts}:
            of_kspay = [t.parts[0] for t in ts if t.currency == currency]
            booked = [e.parts[0] for e in es if e.currency == currency]
            refunds = [part for e in es if e.currency == currency for part in e.parts[1:]]
            self._totals("kspay", of_kspay)
            self._totals("ledger", [*booked, *refunds])
            difference = _sum(booked) - _sum(of_kspay) + fee
            name = (
                "currencies"
                if "CURRENCY_MISMATCH" in types
                else "amounts"
                if "AMOUNT_MISMATCH" in types
                else "tolerated"
            )
            if difference:
                self._add(currency, name, difference)
            if fee:
                self._add(currency, "fees", -fee)
            if refunds:
                self._add(currency, "refunds", _sum(refunds))
            outside = [part for part in parts if part.currency == currency and not self.is_inside(part)]
            if outside:
                of_ledger = [part for part in outside if part in booked or part in refunds]
                self._add(currency, "other_days", _sum(outside) - 2 * _sum(of_ledger))

    def alone(self, record: Record, found: str | None) -> None:
        """Add a record without a match, and the type of what is wrong with it, if anything is."""
        side, other = ("kspay", "ledger") if record.of_kspay else ("ledger", "kspay")
        self._totals(side, record.parts)
        for number, part in enumerate(record.parts):
            if not self.is_inside(part):
                continue
            name = "refunds" if number else _ALONE.get(found, "missing_in_")
            if name.endswith("_"):
                name += other if name == "missing_in_" else side
            self._add(part.currency, name, -part.amount if record.of_kspay else part.amount)

    def _totals(self, side: str, parts: Sequence[T | E]) -> None:
        for part in filter(self.is_inside, parts):
            self._add(part.currency, f"{side}_total", part.amount)

    def _add(self, currency: str, name: str, amount: Decimal) -> None:
        count, so_far = self.lines.get((currency, name), (0, Decimal(0)))
        self.lines[currency, name] = (count + 1, so_far + amount)


def _sum(parts: Sequence[T | E]) -> Decimal:
    return sum((part.amount for part in parts), Decimal(0))
