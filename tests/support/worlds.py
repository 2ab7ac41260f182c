"""Small made-up worlds: records written by hand in one line, and at random with everything colliding.

`tx` and `entry` make records of August 2026, of which a test names only what matters to it. `worlds()` is a
hypothesis strategy that draws few keys, amounts, days and families on both sides; it shrinks towards no
records, one app, plain settings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from reconcile.core.fees import Fee
from reconcile.core.money import Currencies, Tolerances
from reconcile.core.records import Period
from tests.oracle import ALL_RULES, E, Policy, T

KOLKATA = ZoneInfo("Asia/Kolkata")


def tx(
    number: int,
    reference: str | None = "R1",
    amount: str = "100",
    family: str = "paid",
    *,
    day: int = 10,
    at: str = "12:00",
    currency: str = "INR",
    app: str = "ap_1",
    order: str | None = None,
    txn: str | None = None,
    word: str = "",
    method: str | None = None,
) -> T:
    """`tx_<number>`, created on a day of August 2026 (40 is 9 September) at a time in Kolkata."""
    local = datetime.combine(_day(day), time.fromisoformat(at), KOLKATA)
    at_utc = local.astimezone(UTC)
    return T(
        f"tx_{number}", app, reference, currency, Decimal(amount), family, at_utc, order, txn, word, method
    )


def entry(
    number: int,
    reference: str | None = "R1",
    amount: str = "100",
    family: str = "paid",
    *,
    day: int = 10,
    names: str | None = None,
    currency: str = "INR",
    app: str = "ap_1",
    source: str = "default",
    order: str | None = None,
    txn: str | None = None,
) -> E:
    """The entry `L<number>`, dated as in `tx`; `names` is the transaction it names."""
    return E(
        source, f"L{number}", app, reference, currency, Decimal(amount), family, _day(day), names, order, txn
    )


def _day(day: int) -> date:
    return date(2026, 7, 31) + timedelta(days=day)


FIRST = date(2026, 8, 10)
APPS = ("ap_1", "ap_1", "ap_1", "ap_1", "ap_1", "ap_2")
CURRENCIES = ("INR", "INR", "INR", "USD", "KWD", "JPY")
DIGITS = {"INR": 2, "USD": 2, "KWD": 3, "JPY": 0}
# Sums and near misses: 60 + 40 = 100; 99.50, 99.99 and 101 lie within some of the tolerances drawn below.
AMOUNTS = tuple(Decimal(text) for text in ("100", "60", "40", "200", "99.5", "101", "99.99", "0"))
# Three are one reference written differently; the last two normalise to nothing.
REFERENCES = ("R1", "R2", "R3", None, "INV-7", "inv 7", "ＩＮＶ７", "--", "…")
PROVIDER_IDS = (None, None, None, None, None, "p1", "p2")
# How a payment that was refunded may be written: all of it, or in part.
REFUNDED_WORDS = ("", "Refunded", "partially_refunded", "Partially Refunded", "PARTIALLY-REFUNDED")
KSPAY_FAMILIES = ("paid", "paid", "paid", "refunded", "failed", "pending", "cancelled", "unknown")
LEDGER_FAMILIES = ("paid", "paid", "paid", "refunded", "unpaid", "cancelled", "unknown")
TOLERANCES = ("0", "0", "0.5", "1", "0.5%", "1%", "INR=1,KWD=0.01")
# Net of these, 100 INR is 99.50, 60, or 97.64; some hold from a day inside the period only, some are of a currency with
# other decimals.
FEES = (
    Fee(None, "INR", date.min, percent=Decimal("0.5")),
    Fee("CARD", "INR", date.min, percent=Decimal(40)),
    Fee("CARD", "INR", FIRST + timedelta(days=1), percent=Decimal(2), tax=Decimal(18)),
    Fee("upi", "INR", FIRST, fixed=Decimal("0.5")),
    Fee(None, "JPY", date.min, percent=Decimal("0.5"), fixed=Decimal(1), tax=Decimal(10)),
    Fee("UPI", "KWD", date.min, percent=Decimal("0.0125")),
    Fee("CARD", "KWD", FIRST, fixed=Decimal(0), percent=Decimal(0)),
)
METHODS = (None, "CARD", "Card", "UPI")
# Days from the period's first; the period is 1 to 4 days long, so these lie around both its ends.
OFFSETS = (0, 1, 2, 3, 4, 5, -1, -2, -3, -8, 9)
# Local times of day: noon, and instants next to midnight in Kolkata and in UTC, where a business day turns.
TIMES = (time(12), time(12), time(0), time(23, 59, 59, 999000), time(5, 29, 59), time(5, 30))


@dataclass(frozen=True)
class World:
    """All that a reconciliation starts from."""

    transactions: tuple[T, ...]
    entries: tuple[E, ...]
    policy: Policy
    period: Period
    covered: frozenset[date]
    broken: tuple[T | E, ...] = ()  # what came, and cannot be used

    @property
    def records(self) -> tuple[T | E, ...]:
        """All of both sides, also what cannot be used."""
        return (*self.transactions, *self.entries, *self.broken)

    def beside(self, others: "Sequence[World]") -> "World":
        """This world and others as one, under the settings of this one: each has apps of its own."""
        ts, es, broken = list(self.transactions), list(self.entries), list(self.broken)
        for number, other in enumerate(others, 2):
            ts += [replace(t, app=f"{t.app}_{number}") for t in other.transactions]
            es += [replace(e, app=f"{e.app}_{number}") for e in other.entries]
            broken += [replace(each, app=f"{each.app}_{number}") for each in other.broken]
        return replace(self, transactions=tuple(ts), entries=tuple(es), broken=tuple(broken))


@dataclass(frozen=True)
class Words:
    """What the records of one world are made of: few of each, so that they collide."""

    references: Sequence[str | None]
    amounts: Sequence[Decimal]
    currencies: Sequence[str]
    days: Sequence[date]
    provider_ids: Sequence[str | None]


@st.composite
def policies(draw: st.DrawFn, rules: tuple[str, ...] = ALL_RULES) -> Policy:
    """Settings near their defaults, so that some records fall on either side of each."""
    return Policy(
        timezone=draw(st.sampled_from(("Asia/Kolkata", "Asia/Kolkata", "UTC", "America/New_York"))),
        tolerance=Tolerances.parse(draw(st.sampled_from(TOLERANCES)), Currencies()),
        date_tolerance_days=draw(st.sampled_from((3, 0, 1))),
        duplicate_days=draw(st.sampled_from((7, 0, 2))),
        grace_days=draw(st.sampled_from((1, 0, 3))),
        stale_pending_hours=draw(st.sampled_from((24, 0, 36, 48))),
        accept_suggestions=draw(st.booleans()),
        fees=draw(st.sampled_from(((), (), FEES, FEES[:1], FEES[1:4]))),
        rules=rules,
    )


@st.composite
def vocabularies(draw: st.DrawFn) -> Words:
    """The words of one world."""
    days = [FIRST + timedelta(days=offset) for offset in OFFSETS]
    return Words(
        references=draw(st.lists(st.sampled_from(REFERENCES), min_size=1, max_size=5)),
        amounts=draw(st.lists(st.sampled_from(AMOUNTS), min_size=1, max_size=4)),
        currencies=draw(st.sampled_from((CURRENCIES[:1], CURRENCIES))),
        days=(FIRST, FIRST, *draw(st.lists(st.sampled_from(days), max_size=4))),
        provider_ids=draw(st.sampled_from(((None,), (None,), PROVIDER_IDS))),
    )


@st.composite
def transactions(draw: st.DrawFn, number: int, words: Words, zone: ZoneInfo) -> T:
    """The transaction `tx_<number>`."""
    created_at = datetime.combine(draw(st.sampled_from(words.days)), draw(st.sampled_from(TIMES)), zone)
    family, currency = draw(st.sampled_from(KSPAY_FAMILIES)), draw(st.sampled_from(words.currencies))
    return T(
        id=f"tx_{number}",
        app=draw(st.sampled_from(APPS)),
        reference=draw(st.sampled_from(words.references)),
        currency=currency,
        amount=_rounded(draw(st.sampled_from(words.amounts)), currency),
        family=family,
        created_at=created_at.astimezone(UTC),
        provider_order_id=draw(st.sampled_from(words.provider_ids)),
        provider_txn_id=draw(st.sampled_from(words.provider_ids)),
        word=draw(st.sampled_from(REFUNDED_WORDS)) if family == "refunded" else "",
        payment_method=draw(st.sampled_from(METHODS)),
    )


@st.composite
def entries(draw: st.DrawFn, number: int, words: Words, known: Sequence[T], negatives: bool) -> E:
    """The entry `L<number // 2>` of one of two sources, so that both sources know the same ids.

    Every second one books a transaction of the world as it should, but for what is drawn to differ.
    """
    family, currency = draw(st.sampled_from(LEDGER_FAMILIES)), draw(st.sampled_from(words.currencies))
    made = E(
        source=("default", "tally")[number % 2],
        id=f"L{number // 2}",
        app=draw(st.sampled_from(APPS)),
        reference=draw(st.sampled_from(words.references)),
        currency=currency,
        amount=_rounded(draw(st.sampled_from(words.amounts)), currency),
        family=family,
        day=draw(st.sampled_from(words.days)),
        transaction_id=draw(st.sampled_from((None, None, None, "tx_0", "tx_1", "tx_unknown"))),
        provider_order_id=draw(st.sampled_from(words.provider_ids)),
        provider_txn_id=draw(st.sampled_from(words.provider_ids)),
        word=draw(st.sampled_from(REFUNDED_WORDS)) if family == "refunded" else "",
    )
    if len(known) > 0 and draw(st.booleans()):
        booked = draw(st.sampled_from(known))
        made = replace(made, app=booked.app, currency=booked.currency)
        how = draw(st.sampled_from(("reference", "name", "neither", "other amount")))
        if how != "neither":
            made = replace(made, reference=booked.reference)
        if how != "other amount":
            made = replace(made, amount=booked.amount)
        made = replace(made, transaction_id=booked.id if how == "name" else None)
    if negatives and draw(st.integers(0, 3)) == 3:
        made = replace(made, amount=-made.amount)
    return made


def _rounded(amount: Decimal, currency: str) -> Decimal:
    """The amount in the digits of its currency."""
    return round(amount, DIGITS[currency])


# What hardly ever comes about by chance is planted. A planter adds to the records that a world has by now.

Planter = Callable[[st.DrawFn, Words, ZoneInfo, list[T], list[E]], None]


def _new(
    draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E], alone: bool = False
) -> tuple[T, E]:
    """A payment and an entry that books it, to be changed and added; `alone` is without other records' keys."""
    t = draw(transactions(len(ts), words, zone))
    e = draw(entries(len(es), words, (), False))
    reference = f"N{len(ts)}-{len(es)}" if alone or draw(st.booleans()) else t.reference
    t = replace(t, reference=reference)
    return t, replace(
        e, app=t.app, reference=reference, currency=t.currency, amount=t.amount, transaction_id=None, word=""
    )


def _add_entry(es: list[E], like: E, **changes: Any) -> None:
    """An entry of a source and id of its own."""
    number = len(es)
    es.append(replace(like, source=("default", "tally")[number % 2], id=f"L{number // 2}", **changes))


def _add_transaction(ts: list[T], like: T, **changes: Any) -> None:
    ts.append(replace(like, id=f"tx_{len(ts)}", **changes))


def _keyed(draw: st.DrawFn, t: T) -> dict[str, str | None]:
    """The keys of an entry of this payment: its reference, its id, both, or one that nobody knows."""
    return draw(
        st.sampled_from(
            (
                {"reference": t.reference, "transaction_id": None},
                {"reference": t.reference, "transaction_id": None},
                {"reference": t.reference, "transaction_id": t.id},
                {"reference": None, "transaction_id": t.id},
                {"reference": "INV-7", "transaction_id": t.id},
                {"reference": t.reference, "transaction_id": "tx_unknown"},
                {"reference": t.reference, "transaction_id": "tx_0"},
            )
        )
    )


def _plant_split(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """Two that add up to one."""
    t, e = _new(draw, words, zone, ts, es)
    part = Decimal(40)
    if draw(st.booleans()):
        _add_transaction(ts, t, amount=t.amount + part)
        _add_entry(es, e)
        _add_entry(es, e, amount=part)
    else:
        _add_transaction(ts, t)
        _add_transaction(ts, t, amount=part)
        _add_entry(es, e, amount=t.amount + part)


def _plant_near_split(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """Two to four that miss one by nothing, a unit, 5 %, or a unit more or less than 5 %."""
    t, e = _new(draw, words, zone, ts, es, alone=True)
    family = draw(st.sampled_from(("paid", "paid", "paid", "refunded", "pending")))
    t = replace(t, family=family, word=draw(st.sampled_from(REFUNDED_WORDS)) if family == "refunded" else "")
    e = replace(e, family="unpaid" if t.family == "pending" else t.family)
    unit = Decimal(1).scaleb(-DIGITS[t.currency])
    whole = draw(st.sampled_from((Decimal(100), Decimal(1000), Decimal(20), Decimal(200))))
    missed = draw(st.sampled_from((whole / 20, whole / 20 - unit, whole / 20 + unit, unit, Decimal(0))))
    left = whole + draw(st.sampled_from((missed, -missed)))
    parts = []
    for share in draw(
        st.lists(st.sampled_from(("0.5", "0.333", "0.95", "0.04", "1.2")), min_size=1, max_size=3)
    ):
        parts.append(_rounded(whole * Decimal(share), t.currency))
    parts.append(left - sum(parts))
    if draw(st.booleans()) and all(part >= 0 for part in parts):
        for part in parts:
            _add_transaction(ts, t, amount=part)
        _add_entry(es, e, amount=whole)
    else:
        _add_transaction(ts, t, amount=whole)
        by_name = draw(st.booleans())
        for part in parts:
            if by_name:
                _add_entry(es, e, amount=part, reference=None, transaction_id=ts[-1].id)
            else:
                _add_entry(es, e, amount=part)
    if draw(st.integers(0, 3)) == 0:
        _add_entry(es, e, amount=whole, family="cancelled")
    if draw(st.integers(0, 3)) == 0:
        _add_transaction(ts, t, amount=whole, family="failed", word="")


def _plant_spelling(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """One reference, written differently."""
    t, e = _new(draw, words, zone, ts, es)
    _add_transaction(ts, t, reference="INV-7")
    _add_entry(es, e, reference="inv 7")


def _plant_duplicates(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """Payments and entries of one reference, of amounts that are the same or nearly so."""
    t, e = _new(draw, words, zone, ts, es)
    families = st.sampled_from(("paid", "paid", "paid", "refunded"))
    amounts = st.sampled_from(
        (t.amount, t.amount, t.amount, t.amount + 1, t.amount + Decimal("1.01"), -t.amount)
    )
    days = st.sampled_from((*words.days, *(FIRST + timedelta(days=offset) for offset in OFFSETS)))
    for _ in range(draw(st.integers(1, 3))):
        at = datetime.combine(draw(days), draw(st.sampled_from(TIMES)), zone).astimezone(UTC)
        amount = _rounded(abs(draw(amounts)), t.currency)
        _add_transaction(ts, t, amount=amount, family=draw(families), word="", created_at=at)
    for _ in range(draw(st.integers(0, 3))):
        amount = _rounded(draw(amounts), t.currency)
        keys = _keyed(draw, ts[-1])
        _add_entry(es, e, amount=amount, family=draw(families), day=draw(days), **keys)


def _plant_refunds(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """One payment or two, booked, and one to three refunds of all, of a part or of too much."""
    t, e = _new(draw, words, zone, ts, es)
    days = st.sampled_from((*words.days, *(FIRST + timedelta(days=offset) for offset in OFFSETS)))
    families = st.sampled_from(("paid", "refunded", "refunded", "refunded", "refunded", "pending", "unknown"))
    amount = _rounded(draw(st.sampled_from((Decimal(100), Decimal("99.5"), Decimal(60)))), t.currency)
    for _ in range(draw(st.sampled_from((1, 1, 2)))):
        family = draw(families)
        word = draw(st.sampled_from(REFUNDED_WORDS)) if family == "refunded" else ""
        _add_transaction(ts, t, amount=amount, family=family, word=word)
        if draw(st.integers(0, 4)):
            booked = amount if draw(st.integers(0, 3)) else amount - 1
            _add_entry(es, e, amount=booked, family="paid", **_keyed(draw, ts[-1]))
    parts = st.sampled_from((amount, amount / 2, amount / 2, amount - 1, amount + 1, Decimal(1), Decimal(10)))
    backs = [_rounded(part, t.currency) for part in draw(st.lists(parts, min_size=1, max_size=3))]
    if len(backs) > 1 and draw(st.booleans()) and sum(backs[:-1]) < amount:
        backs[-1] = amount - sum(backs[:-1])  # all of it, and no more
    for back in backs:
        family = draw(st.sampled_from(("paid", "refunded")))
        _add_entry(es, e, amount=-back, family=family, day=draw(days), **_keyed(draw, ts[-1]))


def _plant_fees(draw: st.DrawFn, words: Words, zone: ZoneInfo, ts: list[T], es: list[E]) -> None:
    """One to three payments booked less a fee, each or all at once, now and then a unit or two off; and refunds."""
    t, e = _new(draw, words, zone, ts, es)
    unit = Decimal(1).scaleb(-DIGITS[t.currency])
    of_fee = st.sampled_from([fee for fee in FEES if fee.currency == t.currency] or FEES)
    amounts = st.sampled_from((Decimal(100), Decimal(100), Decimal(60), Decimal("99.5"), Decimal("102.42")))
    left = []
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        fee, amount = draw(of_fee), _rounded(draw(amounts), t.currency)
        family = draw(st.sampled_from(("paid", "paid", "refunded", "refunded", "unknown")))
        word = draw(st.sampled_from(REFUNDED_WORDS)) if family == "refunded" else ""
        method = fee.payment_method or draw(st.sampled_from(METHODS))
        _add_transaction(ts, t, amount=amount, family=family, word=word, payment_method=method)
        left.append(amount - _rounded(amount * fee.share + fee.fixed_with_tax, t.currency))
    off = draw(st.sampled_from((Decimal(0), Decimal(0), Decimal(0), unit, -unit, Decimal("0.5"))))
    if draw(st.booleans()):
        _add_entry(es, e, amount=_rounded(sum(left, off), t.currency))
    else:
        for net, payment in zip(left, ts[-len(left) :], strict=True):
            _add_entry(es, e, amount=_rounded(net + off, t.currency), family="paid", **_keyed(draw, payment))
    for net, payment in zip(left, ts[-len(left) :], strict=True):
        back = draw(st.sampled_from((None, None, payment.amount, net, net / 2, net + unit)))
        if back is not None:
            _add_entry(es, e, amount=-_rounded(back, t.currency), family="paid", **_keyed(draw, payment))


PLANTERS: tuple[Planter, ...] = (_plant_split, _plant_near_split, _plant_spelling)
PLANTERS_WITH_REFUNDS: tuple[Planter, ...] = (
    *PLANTERS,
    _plant_fees,
    _plant_fees,
    _plant_near_split,
    _plant_duplicates,
    _plant_refunds,
    _plant_refunds,
)


@st.composite
def worlds(
    draw: st.DrawFn, *, rules: tuple[str, ...] = ALL_RULES, negatives: bool = True, most: int = 12
) -> World:
    """A world of up to about `most` records a side; `negatives` adds entries that book refunds.

    What hardly ever comes about by chance is planted now and then: splits, also such that nearly add up, references
    spelled differently, duplicates, and refunds.
    """
    policy, words = draw(policies(rules)), draw(vocabularies())
    zone = ZoneInfo(policy.timezone)
    planters = PLANTERS_WITH_REFUNDS if negatives else PLANTERS
    planted = draw(st.lists(st.sampled_from(planters), max_size=2))
    room = most - 2 if not planted else most // 3
    ts = [draw(transactions(n, words, zone)) for n in range(draw(st.integers(0, room)))]
    es = [draw(entries(n, words, ts, negatives)) for n in range(draw(st.integers(0, room)))]
    for plant in planted:
        plant(draw, words, zone, ts, es)
    period = Period(FIRST, FIRST + timedelta(days=draw(st.integers(0, 3))))
    covered = draw(st.frozensets(st.sampled_from([FIRST - timedelta(days=n) for n in range(1, 10)])))
    return World(tuple(ts), tuple(es), policy, period, covered)
