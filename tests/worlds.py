"""Small made-up worlds: records written by hand in one line, and at random with everything colliding.

`tx` and `entry` make records of August 2026, of which a test names only what matters to it. `worlds()` is a
hypothesis strategy that draws few keys, amounts, days and families on both sides; it shrinks towards no
records, one app, plain settings.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from oracle import ALL_RULES, E, Policy, T

from reconcile.money import Currencies, Tolerances
from reconcile.records import Period

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
APPS = ("ap_1", "ap_2")
CURRENCIES = ("INR", "INR", "INR", "USD", "KWD")
# Sums and near misses: 60 + 40 = 100, 99.50 lies within the tolerances drawn below, 101 only in some.
AMOUNTS = tuple(Decimal(text) for text in ("100", "100", "40", "60", "99.5", "101", "99.99", "200", "0"))
# The last but three are one reference written differently; the last two normalise to nothing.
REFERENCES = ("R1", "R1", "R2", "R3", None, "INV-7", "inv 7", "ＩＮＶ７", "--", "…")
PROVIDER_IDS = (None, None, None, "p1", "p2")
KSPAY_FAMILIES = ("paid", "paid", "paid", "refunded", "failed", "pending", "cancelled", "unknown")
LEDGER_FAMILIES = ("paid", "paid", "paid", "refunded", "unpaid", "cancelled", "unknown")
TOLERANCES = ("0", "0", "0.5", "1", "0.5%", "1%", "INR=1,KWD=0.01")
# Day offsets from the period's first day; the period is 1 to 4 days long, so these lie around both ends.
OFFSETS = (0, 0, 1, 1, 2, 3, 4, 5, -1, -2, -3, -8, 9)
# Local times of day: noon, and the instants next to midnight, where the business day turns.
TIMES = (time(12), time(12), time(0), time(23, 59, 59, 999000), time(5, 29, 59), time(5, 30))


@dataclass(frozen=True)
class World:
    """All that a reconciliation starts from."""

    transactions: tuple[T, ...]
    entries: tuple[E, ...]
    policy: Policy
    period: Period
    covered: frozenset[date]


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
def transactions(draw: st.DrawFn, number: int, zone: ZoneInfo) -> T:
    """The transaction `tx_<number>`."""
    day = FIRST + timedelta(days=draw(st.sampled_from(OFFSETS)))
    return T(
        id=f"tx_{number}",
        app=draw(st.sampled_from(APPS[:1] * 7 + APPS[1:])),
        reference=draw(st.sampled_from(REFERENCES)),
        currency=draw(st.sampled_from(CURRENCIES)),
        amount=draw(st.sampled_from(AMOUNTS)),
        family=draw(st.sampled_from(KSPAY_FAMILIES)),
        created_at=datetime.combine(day, draw(st.sampled_from(TIMES)), zone).astimezone(UTC),
        provider_order_id=draw(st.sampled_from(PROVIDER_IDS)),
        provider_txn_id=draw(st.sampled_from(PROVIDER_IDS)),
    )


@st.composite
def entries(draw: st.DrawFn, number: int, named: tuple[str | None, ...], negatives: bool) -> E:
    """The entry `L<number // 2>` of one of two sources, so that both sources know the same ids."""
    amount = draw(st.sampled_from(AMOUNTS))
    return E(
        source=("default", "tally")[number % 2],
        id=f"L{number // 2}",
        app=draw(st.sampled_from(APPS[:1] * 7 + APPS[1:])),
        reference=draw(st.sampled_from(REFERENCES)),
        currency=draw(st.sampled_from(CURRENCIES)),
        amount=-amount if negatives and draw(st.integers(0, 3)) == 3 else amount,
        family=draw(st.sampled_from(LEDGER_FAMILIES)),
        day=FIRST + timedelta(days=draw(st.sampled_from(OFFSETS))),
        transaction_id=draw(st.sampled_from(named)),
        provider_order_id=draw(st.sampled_from(PROVIDER_IDS)),
        provider_txn_id=draw(st.sampled_from(PROVIDER_IDS)),
    )


@st.composite
def worlds(
    draw: st.DrawFn, *, rules: tuple[str, ...] = ALL_RULES, negatives: bool = True, most: int = 12
) -> World:
    """A world of up to `most` records a side; `negatives` adds entries that book refunds."""
    policy = draw(policies(rules))
    zone = ZoneInfo(policy.timezone)
    ts = [draw(transactions(n, zone)) for n in range(draw(st.integers(0, most)))]
    # Two entries in three name nothing; the others a transaction of the world, or one that nobody knows.
    naming = [*(t.id for t in ts[:3]), "tx_unknown"]
    named = (*[None] * (2 * len(naming)), *naming)
    es = [draw(entries(n, named, negatives)) for n in range(draw(st.integers(0, most)))]
    period = Period(FIRST, FIRST + timedelta(days=draw(st.integers(0, 3))))
    covered = draw(st.frozensets(st.sampled_from([FIRST - timedelta(days=n) for n in range(1, 10)])))
    return World(tuple(ts), tuple(es), policy, period, covered)
