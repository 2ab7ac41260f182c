"""The oracle's matching; `oracle` tells what it is for and how it reads the words."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from itertools import product
from zoneinfo import ZoneInfo

from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerance, Tolerances

NO_TOLERANCE = Tolerances(Tolerance())
ALL_RULES = (
    "transaction_id",
    "reference",
    "reference_split",
    "provider_id",
    "reference_normalised",
    "reference_differs",
    "amount_date",
)
MOST_RECORDS_OF_A_KEY = 500
EXACT = Context(prec=200)

EntryId = tuple[str, str]
"""(source, ledger id)."""


@dataclass(frozen=True)
class T:
    """A transaction of KS Pay; `family` is paid, pending, failed, cancelled, refunded or unknown.

    `word` is the status as it is written, where it is not the name of its family.
    """

    id: str
    app: str
    reference: str | None
    currency: str
    amount: Decimal
    family: str
    created_at: datetime  # aware, UTC
    provider_order_id: str | None = None
    provider_txn_id: str | None = None
    word: str = ""
    payment_method: str | None = None

    @property
    def status(self) -> str:
        """The status as it is written."""
        return self.word or self.family

    @property
    def partial(self) -> bool:
        """Whether it was refunded in part."""
        plain = "".join(c for c in self.word.casefold() if not c.isspace() and c not in "-_")
        return self.family == "refunded" and plain.startswith("partial")


@dataclass(frozen=True)
class E:
    """An entry of the ledger; `family` is paid, unpaid, cancelled, refunded or unknown. `word` as in `T`."""

    source: str
    id: str
    app: str
    reference: str | None
    currency: str
    amount: Decimal
    family: str
    day: date  # business date
    transaction_id: str | None = None
    provider_order_id: str | None = None
    provider_txn_id: str | None = None
    word: str = ""
    description: str | None = None

    @property
    def status(self) -> str:
        """The status as it is written."""
        return self.word or self.family


@dataclass(frozen=True)
class Policy:
    """The settings that matching and discrepancies depend on; `rules` are the passes in force, in order."""

    timezone: str = "Asia/Kolkata"
    tolerance: Tolerances = NO_TOLERANCE
    date_tolerance_days: int = 3
    duplicate_days: int = 7
    grace_days: int = 1
    stale_pending_hours: int = 24
    accept_suggestions: bool = False
    fees: tuple[Fee, ...] = ()
    rules: tuple[str, ...] = ALL_RULES


@dataclass(frozen=True)
class M:
    """A match, or a suggested one."""

    rule: str
    transactions: frozenset[str]
    entries: frozenset[EntryId]
    app: str
    fee: Decimal | None = None  # that the ledger has taken off


@dataclass(frozen=True)
class Matching:
    """All that matching finds; it knows no period."""

    matches: frozenset[M]
    suggestions: frozenset[M]


# What the passes work on: a transaction, an entry or a refund booking, all in one shape.


@dataclass(frozen=True, eq=False)
class Record:
    id: tuple[str, ...]  # (transaction id,) or (source, ledger id): its place among equals
    parts: tuple[T | E, ...]
    currency: str
    amount: Decimal
    family: str
    day: date
    since: datetime  # `createdAt`, or the start of an entry's day: which of two came earlier
    keys: frozenset[tuple[str, str]]  # (kind, value); the kinds are those of `raw_keys`
    refunded: Decimal = Decimal(0)  # what the negative entries in it add up to, as a positive number
    fee: Decimal = Decimal(0)  # what a gateway is expected to keep of a transaction

    def key(self, kind: str) -> str | None:
        """What a record that came by itself has as its key of this kind."""
        return next((value for k, value in self.keys if k == kind), None)

    def shares(self, other: "Record", *kinds: str) -> bool:
        # Nearly all have no key in common: this is asked of every two.
        return not self.keys.isdisjoint(other.keys) and any(
            kind in kinds for kind, _ in self.keys & other.keys
        )

    @property
    def moneyed(self) -> bool:
        return self.family in ("paid", "refunded")

    @property
    def of_kspay(self) -> bool:
        return isinstance(self.parts[0], T)

    def singles(self) -> "list[Record]":
        """Its records, each by itself, but with the keys of all: a booking is several."""
        booked = [part for part in self.parts if isinstance(part, E)]
        if len(booked) < 2:
            return [self]
        return [
            replace(self, id=(e.source, e.id), parts=(e,), amount=e.amount, day=e.day, since=midnight(e.day))
            for e in booked
        ]

    @property
    def age(self) -> tuple[datetime, tuple[str, ...]]:
        """Sorts the earlier of two records of one side first."""
        return self.since, self.id


@dataclass(frozen=True)
class Joined:
    rule: str
    transactions: tuple[Record, ...]
    entries: tuple[Record, ...]


def normalise(reference: str) -> str:
    """A reference as `reference_normalised` compares it: `INV-00/12` and `inv 0012` are one."""
    folded = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd")


def raw_keys(record: T | E) -> frozenset[tuple[str, str]]:
    named = record.id if isinstance(record, T) else record.transaction_id
    reference = record.reference
    pairs = [
        ("transaction", named),
        ("reference", reference),
        ("normalised", normalise(reference) if reference else None),
        ("provider_order", record.provider_order_id),
        ("provider_txn", record.provider_txn_id),
    ]
    return frozenset((kind, value) for kind, value in pairs if value)


def business_date(record: T | E, zone: ZoneInfo) -> date:
    """The business date of a record."""
    return record.created_at.astimezone(zone).date() if isinstance(record, T) else record.day


def midnight(day: date, zone: tzinfo = UTC) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _records(
    transactions: Sequence[T], entries: Sequence[E], policy: Policy
) -> tuple[list[Record], list[Record]]:
    """The records of one app without the keys that are none, refund bookings joined."""
    zone = ZoneInfo(policy.timezone)
    overloaded: set[tuple[str, str]] = set()
    for side in (transactions, entries):
        count = Counter(key for record in side for key in raw_keys(record))
        overloaded |= {key for key, carriers in count.items() if carriers > MOST_RECORDS_OF_A_KEY}
    ts = [
        Record(
            (t.id,),
            (t,),
            t.currency,
            t.amount,
            t.family,
            business_date(t, zone),
            t.created_at,
            raw_keys(t) - overloaded,
            fee=expected_fee(t, policy),
        )
        for t in transactions
    ]
    es = [
        Record(
            (e.source, e.id),
            (e,),
            e.currency,
            e.amount,
            e.family,
            e.day,
            midnight(e.day),
            raw_keys(e) - overloaded,
        )
        for e in entries
    ]
    return ts, _book_refunds(ts, es, policy)


def _names(ts: list[Record], es: list[Record]) -> dict[Record, str | None]:
    """The transaction that each entry names, or stands for naming (reading 3)."""
    known = {t.key("transaction") for t in ts}
    of_reference = defaultdict(list)
    for t in ts:
        of_reference[t.key("reference")].append(t.key("transaction"))
    names = {}
    for e in es:
        given, reference = e.key("transaction"), e.key("reference")
        carriers = of_reference[reference] if reference else []
        stands_for = carriers[0] if len(carriers) == 1 else None
        names[e] = given if given in known else stands_for or given
    return names


def _book_refunds(ts: list[Record], entries: list[Record], policy: Policy) -> list[Record]:
    """Joins each refund to what it gives back (readings 3, 4 and 19)."""
    known = {t.key("transaction") for t in ts}
    names = _names(ts, entries)

    def gross(positive: Record) -> Decimal:
        named = [t for t in ts if t.key("transaction") == names[positive] and t.currency == positive.currency]
        return positive.amount + (fee_taken(named, [positive], policy) if named else 0)

    def contradict(one: Record, other: Record) -> bool:
        return names[one] != names[other] and names[one] in known and names[other] in known

    def positives_of(negative: Record) -> list[Record]:
        same = [p for p in positives if p.currency == negative.currency]
        naming = [p for p in same if names[p] is not None and names[p] == names[negative]]
        return naming or [p for p in same if p.shares(negative, "reference") and not contradict(p, negative)]

    positives = sorted((e for e in entries if e.moneyed and e.amount > 0), key=lambda e: e.age)
    negatives = sorted(
        (e for e in entries if e.moneyed and e.amount < 0), key=lambda e: (names[e] is None, e.age)
    )
    candidates = {n: positives_of(n) for n in negatives}
    booked: dict[Record, list[Record]] = {}
    for p in positives:
        own = [n for n in negatives if candidates[n] == [p]]
        if own and sum(-n.amount for n in own) <= gross(p):
            booked[p] = own
    spent = {n for own in booked.values() for n in own}
    for n in negatives:
        if n in spent:
            continue
        for p in candidates[n]:
            if p not in booked and -n.amount in (p.amount, gross(p)):
                booked[p] = [n]
                spent.add(n)
                break
    units: list[Record] = []
    for e in entries:
        if e in booked:
            group = [e, *booked[e]]
            units.append(
                replace(
                    e,
                    family="refunded",
                    refunded=sum((-n.amount for n in booked[e]), Decimal(0)),
                    parts=tuple(part for member in group for part in member.parts),
                    keys=frozenset(key for member in group for key in member.keys),
                )
            )
        elif e in negatives:
            if e not in spent:
                units.append(replace(e, family="refunded", refunded=-e.amount))
        else:
            units.append(e)
    return units


# Matching


def agree(kspay: str, ledger: str) -> bool:
    """Whether a transaction and an entry of these families tell the same story."""
    if kspay in ("pending", "failed", "cancelled"):
        return ledger in ("unpaid", "cancelled")
    return (kspay, ledger) in (("paid", "paid"), ("refunded", "refunded"), ("refunded", "cancelled"))


def within_tolerance(of: Decimal, other: Decimal, currency: str, tolerances: Tolerances) -> bool:
    """Whether two amounts of one currency count as equal; a percentage is one of `of`, KS Pay's amount."""
    tolerance = tolerances.named.get(currency, tolerances.default)
    difference = abs(of - other)
    return difference <= tolerance.fixed or difference * 100 <= abs(of) * tolerance.percent


def total(records: Iterable[Record]) -> Decimal:
    return sum((record.amount for record in records), Decimal(0))


# Fees (reading 19)


def expected_fee(t: T, policy: Policy) -> Decimal:
    """What the gateway keeps of a transaction; 0 where none is expected."""
    day = business_date(t, ZoneInfo(policy.timezone))
    possible = [fee for fee in policy.fees if fee.currency == t.currency and fee.first_day <= day]
    of_method = [
        fee
        for fee in possible
        if fee.payment_method
        and t.payment_method
        and fee.payment_method.strip().lower() == t.payment_method.strip().lower()
    ]
    of_others = [fee for fee in possible if fee.payment_method is None]
    if not (of_method or of_others):
        return Decimal(0)
    fee = max(of_method or of_others, key=lambda one: one.first_day)
    exact = (t.amount * fee.percent / 100 + fee.fixed) * (1 + fee.tax / 100)
    unit = Decimal(1).scaleb(-Currencies().digits[t.currency])
    return min(exact.quantize(unit, ROUND_HALF_UP), t.amount)


def apart(ts: Sequence[Record], es: Sequence[Record]) -> Decimal:
    """How far the ledger is from the amount, or from the amount less the expected fee: the nearer counts."""
    fees = sum((t.fee for t in ts), Decimal(0))
    return min(abs(total(ts) - total(es)), abs(total(ts) - fees - total(es)))


def amounts_agree(ts: Sequence[Record], es: Sequence[Record], policy: Policy) -> bool:
    """Whether the amounts of one currency are equal, or apart by no more than the tolerance of KS Pay's amount."""
    return within_tolerance(total(ts), total(ts) - apart(ts, es), ts[0].currency, policy.tolerance)


def fee_taken(ts: Sequence[Record], es: Sequence[Record], policy: Policy) -> Decimal:
    """The fee that the ledger has taken off: 0 where it books the whole amount, or another one."""
    if len({record.currency for record in (*ts, *es)}) > 1 or not amounts_agree(ts, es, policy):
        return Decimal(0)
    fees = sum((t.fee for t in ts), Decimal(0))
    return fees if abs(total(ts) - fees - total(es)) < abs(total(ts) - total(es)) else Decimal(0)


def _order(joined: Joined) -> tuple[object, ...]:
    """Where a possible match stands among the others of its pass: the least is taken first."""
    ts, es = joined.transactions, joined.entries
    return (
        joined.rule == "reference_differs" and any(t.currency != e.currency for t, e in product(ts, es)),
        not all(agree(t.family, e.family) for t, e in product(ts, es)),
        apart(ts, es),
        abs((min(t.day for t in ts) - min(e.day for e in es)).days),
        sorted(t.id for t in ts),
        sorted(e.id for e in es),
    )


class Matcher:
    """The passes over the records of one app."""

    def __init__(self, transactions: list[Record], entries: list[Record], policy: Policy) -> None:
        self.policy = policy
        self.free_transactions = list(transactions)
        self.free_entries = list(entries)
        self.matches: list[Joined] = []
        self.suggestions: list[Joined] = []

    def run(self) -> None:
        passes = {
            "transaction_id": self.transaction_id,
            "reference": self.reference,
            "reference_split": self.reference_split,
            "provider_id": self.provider_id,
            "reference_normalised": self.reference_normalised,
            "reference_differs": self.reference_differs,
        }
        for first_phase in (True, False):
            for rule in self.policy.rules:
                if rule in passes:
                    passes[rule](
                        [
                            t
                            for t in self.free_transactions
                            if (t.family in ("paid", "refunded", "unknown")) is first_phase
                        ]
                    )
        if "amount_date" in self.policy.rules:
            self.amount_date()

    def fits(self, ts: Sequence[Record], es: Sequence[Record]) -> bool:
        """Same currency, and the amounts add up to the same within the tolerance."""
        currency = ts[0].currency
        return all(r.currency == currency for r in (*ts, *es)) and amounts_agree(ts, es, self.policy)

    def take(self, candidates: Iterable[Joined]) -> None:
        """Take the possible matches from the top, while all their records are free."""
        for joined in sorted(candidates, key=_order):
            if all(t in self.free_transactions for t in joined.transactions) and all(
                e in self.free_entries for e in joined.entries
            ):
                self.matches.append(joined)
                for t in joined.transactions:
                    self.free_transactions.remove(t)
                for e in joined.entries:
                    self.free_entries.remove(e)

    def pairs(self, rule: str, ts: list[Record], possible: Callable[[Record, Record], bool]) -> None:
        self.take(
            [Joined(rule, (t,), (e,)) for t, e in product(ts, self.free_entries) if possible(t, e)],
        )

    def transaction_id(self, ts: list[Record]) -> None:
        self.pairs("transaction_id", ts, lambda t, e: t.shares(e, "transaction") and self.fits([t], [e]))

    def reference(self, ts: list[Record]) -> None:
        self.pairs("reference", ts, lambda t, e: t.shares(e, "reference") and self.fits([t], [e]))

    def provider_id(self, ts: list[Record]) -> None:
        self.pairs("provider_id", ts, lambda t, e: t.shares(e, "provider_order", "provider_txn"))

    def reference_differs(self, ts: list[Record]) -> None:
        counting = [t for t in ts if t.family not in ("failed", "cancelled")]
        for t in sorted(counting, key=lambda t: t.id):
            self.near_split([t] if t in self.free_transactions else [], self.naming(t))
        for left, right in self.of_one_reference(counting):
            self.near_split(left, right)
        self.pairs(
            "reference_differs",
            ts,
            lambda t, e: t.shares(e, "transaction", "reference") and not self.fits([t], [e]),
        )

    def near_split(self, left: list[Record], right: list[Record]) -> None:
        """Take one record and several of the other side whose sum nearly is its amount (reading 17)."""
        if len(left) == 1 < len(right):
            (one,), several = left, right
        elif len(right) == 1 < len(left):
            (one,), several = right, left
        else:
            return
        missed = apart(left, right)
        alone = [apart([one], [part]) if one is left[0] else apart([part], [one]) for part in several]
        if missed * 100 <= abs(one.amount) * 5 and missed < min(alone):
            self.take([Joined("reference_differs", tuple(left), tuple(right))])

    def reference_split(self, ts: list[Record]) -> None:
        rule = "reference_split"
        ts = [t for t in ts if t.family not in ("failed", "cancelled")]
        for t in sorted(ts, key=lambda t: t.id):
            naming = self.naming(t)
            if len(naming) > 1 and self.fits([t], naming):
                self.take([Joined(rule, (t,), tuple(naming))])
        for left, right in self.of_one_reference(ts):
            one_to_many = [
                Joined(rule, (t,), tuple(right)) for t in left if len(right) > 1 and self.fits([t], right)
            ]
            many_to_one = [
                Joined(rule, tuple(left), (e,)) for e in right if len(left) > 1 and self.fits(left, [e])
            ]
            self.take(one_to_many)
            self.take(many_to_one)

    def naming(self, t: Record) -> list[Record]:
        """The entries that a split of this transaction adds up, if they name it."""
        return [e for e in self.counting_entries(t.currency) if e.shares(t, "transaction")]

    def of_one_reference(self, ts: list[Record]) -> Iterator[tuple[list[Record], list[Record]]]:
        """What is left of each reference and currency when its turn comes."""
        groups = {(key, t.currency) for t in ts for key in t.keys if key[0] == "reference"}
        for key, currency in sorted(groups):
            left = [t for t in ts if t in self.free_transactions and key in t.keys and t.currency == currency]
            right = [e for e in self.counting_entries(currency) if key in e.keys]
            yield left, right

    def counting_entries(self, currency: str) -> list[Record]:
        return [e for e in self.free_entries if e.family != "cancelled" and e.currency == currency]

    def reference_normalised(self, ts: list[Record]) -> None:
        alone: list[Joined] = []
        for key in {key for t in ts for key in t.keys if key[0] == "normalised"}:
            left = [t for t in ts if key in t.keys]
            right = [e for e in self.free_entries if key in e.keys]
            if len(left) == len(right) == 1 and not left[0].shares(right[0], "reference"):
                alone.append(Joined("reference_normalised", (left[0],), (right[0],)))
        self.take(alone)

    def amount_date(self) -> None:
        def possible(t: Record, e: Record) -> bool:
            days_apart = abs((t.day - e.day).days)
            same = apart([t], [e]) == 0 and t.currency == e.currency
            return t.moneyed and e.moneyed and same and days_apart <= self.policy.date_tolerance_days

        pairs = [(t, e) for t, e in product(self.free_transactions, self.free_entries) if possible(t, e)]
        of_transaction = Counter(t for t, _ in pairs)
        of_entry = Counter(e for _, e in pairs)
        only = [Joined("amount_date", (t,), (e,)) for t, e in pairs if of_transaction[t] == 1 == of_entry[e]]
        if self.policy.accept_suggestions:
            self.take(only)
        else:
            self.suggestions = only


# All apps


def by_app(
    transactions: Iterable[T], entries: Iterable[E], policy: Policy
) -> dict[str, tuple[list[Record], list[Record], Matcher]]:
    """Every app by itself: its transactions, its entries and bookings, and what its passes joined."""
    transactions, entries = list(transactions), list(entries)
    result = {}
    for app in {t.app for t in transactions} | {e.app for e in entries}:
        ts, es = _records(
            [t for t in transactions if t.app == app],
            [e for e in entries if e.app == app],
            policy,
        )
        matcher = Matcher(ts, es, policy)
        matcher.run()
        result[app] = (ts, es, matcher)
    return result


def public(joined: Joined, app: str, policy: Policy | None = None) -> M:
    """A match as tests know it, with its fee where the policy is given."""
    fee = fee_taken(joined.transactions, joined.entries, policy) if policy else None
    return M(
        joined.rule,
        frozenset(part.id for t in joined.transactions for part in t.parts),
        frozenset(entry_ids(joined.entries)),
        app,
        fee or None,
    )


def entry_ids(entries: Iterable[Record]) -> list[EntryId]:
    return [(part.source, part.id) for e in entries for part in e.parts if isinstance(part, E)]


def match(transactions: Iterable[T], entries: Iterable[E], policy: Policy) -> Matching:
    """All matches and suggestions, of whatever day."""
    with localcontext(EXACT):
        apps = by_app(transactions, entries, policy)
        return Matching(
            frozenset(public(j, app) for app, (_, _, matcher) in apps.items() for j in matcher.matches),
            frozenset(public(j, app) for app, (_, _, matcher) in apps.items() for j in matcher.suggestions),
        )
