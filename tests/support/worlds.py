"""Small made-up worlds: records written by hand in one line, and at random with everything colliding.

`tx` and `entry` make records of August 2026, of which a test names only what matters to it. `worlds()` is a
hypothesis strategy that draws few keys, amounts, days and families on both sides; it shrinks towards no
records, one app, plain settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

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
) -> T:
    """`tx_<number>`, created on a day of August 2026 (40 is 9 September) at a time in Kolkata."""
    local = datetime.combine(_day(day), time.fromisoformat(at), KOLKATA)
    return T(
        f"tx_{number}", app, reference, currency, Decimal(amount), family, local.astimezone(UTC), order, txn
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
CURRENCIES = ("INR", "INR", "INR", "USD", "KWD")
# Sums and near misses: 60 + 40 = 100; 99.50, 99.99 and 101 lie within some of the tolerances drawn below.
AMOUNTS = tuple(Decimal(text) for text in ("100", "60", "40", "200", "99.5", "101", "99.99", "0"))
# Three are one reference written differently; the last two normalise to nothing.
REFERENCES = ("R1", "R2", "R3", None, "INV-7", "inv 7", "ＩＮＶ７", "--", "…")
PROVIDER_IDS = (None, None, None, None, None, "p1", "p2")
KSPAY_FAMILIES = ("paid", "paid", "paid", "refunded", "failed", "pending", "cancelled", "unknown")
LEDGER_FAMILIES = ("paid", "paid", "paid", "refunded", "unpaid", "cancelled", "unknown")
TOLERANCES = ("0", "0", "0.5", "1", "0.5%", "1%", "INR=1,KWD=0.01")
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
    return T(
        id=f"tx_{number}",
        app=draw(st.sampled_from(APPS)),
        reference=draw(st.sampled_from(words.references)),
        currency=draw(st.sampled_from(words.currencies)),
        amount=draw(st.sampled_from(words.amounts)),
        family=draw(st.sampled_from(KSPAY_FAMILIES)),
        created_at=created_at.astimezone(UTC),
        provider_order_id=draw(st.sampled_from(words.provider_ids)),
        provider_txn_id=draw(st.sampled_from(words.provider_ids)),
    )


@st.composite
def entries(draw: st.DrawFn, number: int, words: Words, known: Sequence[T], negatives: bool) -> E:
    """The entry `L<number // 2>` of one of two sources, so that both sources know the same ids.

    Every second one books a transaction of the world as it should, but for what is drawn to differ.
    """
    made = E(
        source=("default", "tally")[number % 2],
        id=f"L{number // 2}",
        app=draw(st.sampled_from(APPS)),
        reference=draw(st.sampled_from(words.references)),
        currency=draw(st.sampled_from(words.currencies)),
        amount=draw(st.sampled_from(words.amounts)),
        family=draw(st.sampled_from(LEDGER_FAMILIES)),
        day=draw(st.sampled_from(words.days)),
        transaction_id=draw(st.sampled_from((None, None, None, "tx_0", "tx_1", "tx_unknown"))),
        provider_order_id=draw(st.sampled_from(words.provider_ids)),
        provider_txn_id=draw(st.sampled_from(words.provider_ids)),
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


@st.composite
def worlds(
    draw: st.DrawFn, *, rules: tuple[str, ...] = ALL_RULES, negatives: bool = True, most: int = 12
) -> World:
    """A world of up to `most` records a side; `negatives` adds entries that book refunds.

    What hardly ever comes about by chance is planted now and then: splits, and references spelled differently.
    """
    policy, words = draw(policies(rules)), draw(vocabularies())
    zone = ZoneInfo(policy.timezone)
    ts = [draw(transactions(n, words, zone)) for n in range(draw(st.integers(0, most - 2)))]
    es = [draw(entries(n, words, ts, negatives)) for n in range(draw(st.integers(0, most - 2)))]
    planted = draw(st.sampled_from((None, None, "one to two", "two to one", "spelling")))
    if planted:
        t, e = draw(transactions(len(ts), words, zone)), draw(entries(len(es), words, (), False))
        e = replace(e, app=t.app, reference=t.reference, currency=t.currency, amount=t.amount)
        more, part = Decimal(100), Decimal(40)
        if planted == "one to two":
            es += [e, replace(e, id=f"{e.id}b", amount=part)]
            ts.append(replace(t, amount=e.amount + part))
        elif planted == "two to one":
            ts += [t, replace(t, id=f"tx_{len(ts) + 1}", amount=more)]
            es.append(replace(e, amount=t.amount + more))
        else:
            ts.append(replace(t, reference="INV-7"))
            es.append(replace(e, reference="inv 7"))
    period = Period(FIRST, FIRST + timedelta(days=draw(st.integers(0, 3))))
    covered = draw(st.frozensets(st.sampled_from([FIRST - timedelta(days=n) for n in range(1, 10)])))
    return World(tuple(ts), tuple(es), policy, period, covered)
