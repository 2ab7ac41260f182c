"""An oracle of matching and discrepancies: plain Python, slow and clear, that shares no line with the engine's SQL.

It was written from the words of the user documentation alone, so that where the engine and the oracle
disagree on a world, one of them is wrong. It knows no decisions and no quarantine: the rule `manual`, the
outcomes `resolved` and `quarantined` and the type INVALID_RECORD are not here. Severities and aspects come from
`reconcile.core.discrepancies`, so that SQL is compared with them.

Readings, where the words leave a choice:

 1. "Within N days" compares business dates, in whole days, for matching and for duplicates alike. An
    entry's date is its business date.
 2. A key that more than 500 records of one side carry is no key for anything: matching, refund bookings,
    duplicates. Records are counted as they came (before bookings), each key kind by itself.
 3. An entry names the transaction whose id it was given, if KS Pay knows that; else the one transaction, of
    whatever family, that has its reference to the letter; else whatever id it was given. The positives of a
    negative entry: those that name what it names; if there are none, those of its reference, unless
    the two name different transactions that KS Pay knows. Where a positive is the only positive of some
    negatives and these together do not exceed it, they are one booking. The other negatives, those that
    name something first, then by date, source and id, each take the first unbooked one of their positives
    (by date, source and id) of exactly their amount.
 4. A booking carries the keys of all its entries, and sorts by its positive's source and id. In a
    discrepancy its ledger amount is its positive's; summary counts its entries one by one, each by its
    own date.
 5. In `reference_differs` alone an equal currency comes before all other criteria; between different
    currencies the bare numbers are compared.
 6. A pass sees the transactions of its phase alone: a failed try does not hinder `reference_normalised`,
    and a split of phase two is one of pending transactions.
 7. `reference_split`: "the group" is the free entries naming one transaction, or the free records of one
    reference and currency, at least two on the side that is added up; an entry that names another
    transaction counts under its reference too. Many entries to one transaction come before many
    transactions to one entry. Among several records that the sum fits, the usual order decides (families:
    all agree; date: the earliest of the group).
 8. "Written differently" (`reference_normalised`): no reference in common. Amounts and currencies may
    differ, as in `provider_id`. Digits are the decimal ones (Unicode Nd); a reference without letter,
    mark or digit has no normalised form.
 9. `amount_date` wants exactly equal amounts, looks at all free records at once, and does not ask that
    families agree (paid with refunded may be suggested).
10. Precedence at a missing record: duplicate, then timing, then missing. Grace counts back from the as-of
    day, also over days before the period's first.
11. An unknown status anywhere in a match makes UNKNOWN_STATUS, never also STATUS_MISMATCH or
    REFUND_MISMATCH. A stale one among several pending transactions makes the match stale.
12. Dates shown are the earliest of each side (a booking's is its positive's).
13. A left-over negative entry takes part in everything as a refunded entry, so it may be a duplicate too.
14. A match is reported if any of its records is dated in the period. A discrepancy (and a suggestion) is
    reported if any of its records is dated in the period, or earlier and on a covered day. Outcomes are
    reported of the records dated in the period (scope `period`), and of all earlier records of a reported
    discrepancy (scope `carried`). Records after the period are known to matching but have no reported
    outcome.
15. Unmatched unknown records have outcome `unmatched`.
16. The record that a duplicate is told to repeat is one of those that make it a duplicate: a matched one
    before an unmatched one, then the nearest by business date, then the lowest id (source, ledger id). An
    unmatched booking goes by its positive. But what it is compared with are entries, those within bookings
    too, each with its own amount, date and id: a second refund repeats the first. A percentage is one of the
    amount of the record that may be the duplicate.
17. A split that nearly adds up: the groups of reading 7, with exactly one record on one side, and several on
    the other, of which each by itself would miss it by more than all together. A miss of nothing counts
    too: a pass between may have taken what was too much.
18. REFUND_MISMATCH: the ledger books refunds where a negative entry is in the match, in a booking or alone. KS
    Pay has given back nothing of a paid transaction, all of a refunded one, and some of one that was
    refunded in part: more than nothing and less than all, within the tolerance. Several transactions add
    up. Pending, failed and cancelled ones are a STATUS_MISMATCH. Amounts of two currencies are not compared.
19. With fees, amounts are as far apart as the ledger is from the nearer of KS Pay's amount and that amount less the
    expected fees of its transactions; what the ledger books of it is a fee where it agrees and is nearer to the latter.
    Of such a match a refund may be less the fee of the refunded too. A positive entry that books the one
    transaction that it names so stands for the whole amount too when its refunds are looked for. A fee is rounded half
    up, tax and all at once; one of the payment method comes before one of all others, the later day before the earlier.
    Duplicates are compared as they are booked.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, localcontext
from itertools import product
from zoneinfo import ZoneInfo

from reconcile.core.discrepancies import TYPES
from reconcile.core.records import Period
from tests.oracle.bridge import Bridge
from tests.oracle.matching import (
    ALL_RULES,
    EXACT,
    E,
    EntryId,
    Joined,
    M,
    Matcher,
    Matching,
    Policy,
    Record,
    T,
    agree,
    amounts_agree,
    business_date,
    by_app,
    entry_ids,
    fee_taken,
    match,
    midnight,
    public,
    raw_keys,
    total,
    within_tolerance,
)

__all__ = [
    "ALL_RULES",
    "D",
    "E",
    "Elsewhere",
    "M",
    "Matching",
    "Outcome",
    "Policy",
    "Repeated",
    "T",
    "match",
    "reconcile",
]


ALONE = ("MISSING_IN_LEDGER", "MISSING_IN_KSPAY", "TIMING_DIFFERENCE")


@dataclass(frozen=True)
class D:
    """A discrepancy. `difference` is KS Pay minus ledger, None where the currencies differ."""

    type: str
    severity: str
    app: str
    transactions: tuple[str, ...]  # sorted
    entries: tuple[EntryId, ...]  # sorted
    aspect: str
    difference: Decimal | None
    repeats: "Repeated | None" = None
    kspay_refunded: Decimal | None = (
        None  # None also where it was refunded in part, and nobody knows how much
    )
    ledger_refunded: Decimal | None = None
    elsewhere: "Elsewhere | None" = None


@dataclass(frozen=True)
class Elsewhere:
    """What a record without a counterpart shares with records of the other side that are matched otherwise: how many
    they are, the id of the first of them and, if it is the only one, the ids that it is matched with."""

    key: str
    by_name: bool
    records: int
    id: tuple[str, ...]
    mates: frozenset[tuple[str, ...]]


@dataclass(frozen=True)
class Repeated:
    """What a duplicate repeats: an id (or source and id), its day, and the ids that it is matched with."""

    id: tuple[str, ...]
    day: date
    mates: frozenset[tuple[str, ...]]


@dataclass
class Outcome:
    """What is reported for a period.

    `transactions` and `entries` give the outcome of each reported record, by (app, id) and (app, source, id);
    `summary` gives (count, amount) by (scope, side, currency, outcome), with outcome `total` too; `bridge` by
    (currency, line).
    """

    matches: set[M] = field(default_factory=set)
    suggestions: set[M] = field(default_factory=set)
    discrepancies: set[D] = field(default_factory=set)
    transactions: dict[tuple[str, str], str] = field(default_factory=dict)
    entries: dict[tuple[str, str, str], str] = field(default_factory=dict)
    summary: dict[tuple[str, str, str, str], tuple[int, Decimal]] = field(default_factory=dict)
    bridge: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)


# Discrepancies


def _stale(t: Record, policy: Policy, as_of: date) -> bool:
    end = midnight(as_of + timedelta(days=1), ZoneInfo(policy.timezone))
    return t.family == "pending" and end - t.since > timedelta(hours=policy.stale_pending_hours)


def _given_back(ts: Sequence[Record]) -> tuple[Decimal, Decimal, bool]:
    """The least and the most that KS Pay says was refunded, and whether it is known: then they are the same."""
    known = sum((t.amount for t in ts if t.family == "refunded" and not _partial(t)), Decimal(0))
    at_most = sum((t.amount for t in ts if t.family == "refunded"), Decimal(0))
    return known, at_most, not any(_partial(t) for t in ts)


def _partial(t: Record) -> bool:
    return any(isinstance(part, T) and part.partial for part in t.parts)


def _refunds_differ(joined: Joined, policy: Policy) -> bool:
    """Whether the ledger books refunds, and not those of KS Pay (reading 18)."""
    ts, es = joined.transactions, joined.entries
    booked = sum((e.refunded for e in es), Decimal(0))
    if booked == 0 or not all(t.moneyed for t in ts):
        return False
    if all(t.family == "paid" for t in ts):
        return True
    if len({record.currency for record in (*ts, *es)}) > 1:
        return False
    least, most, known = _given_back(ts)
    kept = (
        sum((t.fee for t in ts if t.family == "refunded"), Decimal(0))
        if fee_taken(ts, es, policy)
        else Decimal(0)
    )
    all_of_it = any(
        # A percentage is one of all that was refunded.
        within_tolerance(most, booked + less, ts[0].currency, policy.tolerance)
        for less in (Decimal(0), kept)
    )
    if known:
        return not all_of_it
    return all_of_it or not least < booked < most - kept


def _types_of_match(joined: Joined, policy: Policy, as_of: date) -> list[str]:
    ts, es = joined.transactions, joined.entries
    types: list[str] = []
    currencies = {record.currency for record in (*ts, *es)}
    if len(currencies) > 1:
        types.append("CURRENCY_MISMATCH")
    elif not amounts_agree(ts, es, policy):
        types.append("AMOUNT_MISMATCH")
    if any(record.family == "unknown" for record in (*ts, *es)):
        types.append("UNKNOWN_STATUS")
    elif _refunds_differ(joined, policy):
        types.append("REFUND_MISMATCH")
    elif not all(agree(t.family, e.family) for t, e in product(ts, es)):
        types.append("STATUS_MISMATCH")
    if abs((min(t.day for t in ts) - min(e.day for e in es)).days) > policy.date_tolerance_days:
        types.append("DATE_MISMATCH")
    if any(_stale(t, policy, as_of) for t in ts) and not any(e.family == "paid" for e in es):
        types.append("STALE_PENDING")
    return types


def _repeated(
    record: Record, peers: list[Record], matched: dict[Record, Joined], policy: Policy
) -> Repeated | None:
    """What an unmatched paid or refunded record repeats of its side, if it is a duplicate (reading 16)."""

    def same_keys(other: Record) -> bool:
        keys = other.keys
        if other in matched and not other.of_kspay:
            keys = keys.union(*(t.keys for t in matched[other].transactions))
        return not record.keys.isdisjoint(keys) and any(
            kind in ("transaction", "reference") for kind, _ in record.keys & keys
        )

    def same_amount(other: Record) -> bool:
        return (
            other.currency == record.currency
            and (other.amount < 0) is (record.amount < 0)
            and within_tolerance(record.amount, other.amount, record.currency, policy.tolerance)
        )

    def apart(other: Record) -> int:
        return abs((other.day - record.day).days)

    found = [
        (unit not in matched, apart(other), other.id, other, unit)
        for unit in peers
        if unit != record and unit.moneyed and same_keys(unit)
        for other in unit.singles()
        if same_amount(other)
        and apart(other) <= policy.duplicate_days
        and (unit in matched or other.age < record.age)
    ]
    if not found:
        return None
    *_, other, unit = min(found, key=lambda one: one[:3])
    return Repeated(other.id, other.day, _mates(unit, matched))


def _mates(unit: Record, matched: dict[Record, Joined]) -> frozenset[tuple[str, ...]]:
    """The ids of the records of the other side that a unit is matched with."""
    joined = matched.get(unit)
    mates = (joined.entries if unit.of_kspay else joined.transactions) if joined else ()
    return frozenset((p.id,) if isinstance(p, T) else (p.source, p.id) for mate in mates for p in mate.parts)


def _elsewhere(record: Record, matched: dict[Record, Joined]) -> Elsewhere | None:
    """What the other side has by the name or else the reference of a record, where all of it is matched otherwise; a
    booking is known by its positive entry here."""
    for kind in ("transaction", "reference"):
        key = next((value for of, value in _own_keys(record) & record.keys if of == kind), None)
        found = [
            other
            for other in matched
            if key is not None and other.of_kspay is not record.of_kspay and (kind, key) in _own_keys(other)
        ]
        if key is not None and found:
            first = min(found, key=lambda other: other.id)
            mates = _mates(first, matched) if len(found) == 1 else frozenset()
            return Elsewhere(key, kind == "transaction", len(found), first.id, mates)
    return None


def _own_keys(record: Record) -> frozenset[tuple[str, str]]:
    (lead,) = (
        part
        for part in record.parts
        if record.id == ((part.id,) if isinstance(part, T) else (part.source, part.id))
    )
    return raw_keys(lead)


def _type_of_unmatched(record: Record, repeated: Repeated | None, policy: Policy, as_of: date) -> str | None:
    kspay = record.of_kspay
    if record.family == "unknown":
        return "UNKNOWN_STATUS"
    if record.moneyed:
        if repeated:
            return "DUPLICATE_IN_KSPAY" if kspay else "DUPLICATE_IN_LEDGER"
        if as_of - timedelta(days=policy.grace_days) < record.day <= as_of:
            return "TIMING_DIFFERENCE"
        return "MISSING_IN_LEDGER" if kspay else "MISSING_IN_KSPAY"
    if kspay and _stale(record, policy, as_of):
        return "STALE_PENDING"
    return None


# What a period reports


class _Reporter:
    """Fills the outcome of one app: each match and each unmatched record is one case."""

    def __init__(
        self, outcome: Outcome, app: str, policy: Policy, period: Period, covered: AbstractSet[date]
    ) -> None:
        self.outcome = outcome
        self.app = app
        self.zone = ZoneInfo(policy.timezone)
        self.policy = policy
        self.period = period
        self.covered = covered
        self.bridge = Bridge(self.is_current)
        self.bridge.lines = outcome.bridge  # one for all apps

    def report(self, ts: list[Record], es: list[Record], matcher: Matcher) -> None:
        matched = {
            record: joined for joined in matcher.matches for record in (*joined.transactions, *joined.entries)
        }
        for joined in matcher.matches:
            types = _types_of_match(joined, self.policy, self.period.last)
            name = "matched_with_discrepancy" if types else "matched"
            fee = fee_taken(joined.transactions, joined.entries, self.policy)
            self.bridge.match(joined.transactions, joined.entries, types, fee)
            self.case(joined.transactions, joined.entries, types, name)
            if self.current(joined.transactions, joined.entries):
                self.outcome.matches.add(public(joined, self.app, self.policy))
        for side in (ts, es):
            for record in side:
                if record not in matched:
                    self.unmatched(record, side, matched)
        for joined in matcher.suggestions:
            if self.reported(joined.transactions, joined.entries):
                self.outcome.suggestions.add(public(joined, self.app))

    def unmatched(self, record: Record, side: list[Record], matched: dict[Record, Joined]) -> None:
        repeated = _repeated(record, side, matched, self.policy)
        found = _type_of_unmatched(record, repeated, self.policy, self.period.last)
        name = {None: "excluded", "TIMING_DIFFERENCE": "timing"}.get(found, "unmatched")
        ts, es = ((record,), ()) if record.of_kspay else ((), (record,))
        elsewhere = _elsewhere(record, matched) if found in ALONE else None
        self.bridge.alone(record, found)
        self.case(ts, es, [found] if found else [], name, repeated, elsewhere)

    def parts(self, ts: Sequence[Record], es: Sequence[Record]) -> list[T | E]:
        return [part for record in (*ts, *es) for part in record.parts]

    def current(self, ts: Sequence[Record], es: Sequence[Record]) -> list[T | E]:
        """The records that are dated in the period."""
        return [part for part in self.parts(ts, es) if self.is_current(part)]

    def is_current(self, part: T | E) -> bool:
        return self.period.first <= business_date(part, self.zone) <= self.period.last

    def earlier(self, ts: Sequence[Record], es: Sequence[Record]) -> list[T | E]:
        return [part for part in self.parts(ts, es) if business_date(part, self.zone) < self.period.first]

    def reported(self, ts: Sequence[Record], es: Sequence[Record]) -> bool:
        return bool(self.current(ts, es)) or any(
            business_date(part, self.zone) in self.covered for part in self.earlier(ts, es)
        )

    def case(
        self,
        ts: Sequence[Record],
        es: Sequence[Record],
        types: list[str],
        name: str,
        repeated: Repeated | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        for part in self.current(ts, es):
            self.count("period", part, name)
        if not types or not self.reported(ts, es):
            return
        for part in self.earlier(ts, es):
            self.count("carried", part, name)
        _, at_most, known = _given_back(ts)
        one_currency = len({record.currency for record in (*ts, *es)}) == 1
        for found in types:
            kind = TYPES[found]
            refunds = found == "REFUND_MISMATCH"
            of_refunded = kind.severity_of_refunded if ts and ts[0].family == "refunded" else None
            self.outcome.discrepancies.add(
                D(
                    type=found,
                    severity=of_refunded or kind.severity,
                    app=self.app,
                    transactions=tuple(sorted(part.id for t in ts for part in t.parts)),
                    entries=tuple(sorted(entry_ids(es))),
                    aspect=kind.aspect,
                    difference=total(ts) - total(es) if one_currency else None,
                    repeats=repeated if found.startswith("DUPLICATE") else None,
                    kspay_refunded=at_most if refunds and known else None,
                    ledger_refunded=sum((e.refunded for e in es), Decimal(0)) if refunds else None,
                    elsewhere=elsewhere,
                )
            )

    def count(self, scope: str, part: T | E, name: str) -> None:
        if isinstance(part, T):
            side = "kspay"
            self.outcome.transactions[self.app, part.id] = name
        else:
            side = "ledger"
            self.outcome.entries[self.app, part.source, part.id] = name
        for outcome in (name, "total"):
            key = (scope, side, part.currency, outcome)
            count, amount = self.outcome.summary.get(key, (0, Decimal(0)))
            self.outcome.summary[key] = (count + 1, amount + part.amount)


def reconcile(
    transactions: Iterable[T],
    entries: Iterable[E],
    policy: Policy,
    period: Period,
    covered: AbstractSet[date] = frozenset(),
) -> Outcome:
    """What a run of this period reports, where earlier finished runs covered the days `covered`."""
    with localcontext(EXACT):
        outcome = Outcome()
        for app, (ts, es, matcher) in by_app(transactions, entries, policy).items():
            _Reporter(outcome, app, policy, period, covered).report(ts, es, matcher)
        return outcome
