"""Laws of the oracle: what holds in every world. A world takes ten times longer to draw than to judge, so all laws
judge the same worlds."""

import random
from collections import Counter, defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import ALL_RULES, E, Matching, Outcome, T, match, reconcile
from tests.oracle.matching import by_app, expected_fee
from tests.support.worlds import World, worlds

FIRST_RULES = ("transaction_id", "reference", "reference_differs")


def reconciled(world: World) -> Outcome:
    return reconcile(world.transactions, world.entries, world.policy, world.period, world.covered)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_laws(world: World, chance: random.Random) -> None:
    outcome = reconciled(world)
    every_record_of_the_period_has_one_outcome_and_totals_are_conserved(world, outcome)
    the_order_of_arrival_means_nothing(world, outcome, chance)
    no_record_is_in_two_matches(world)
    bookings(world)


def every_record_of_the_period_has_one_outcome_and_totals_are_conserved(
    world: World, outcome: Outcome
) -> None:
    counted: dict[tuple[str, str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for (scope, side, currency, name), (count, amount) in outcome.summary.items():
        if name != "total":
            before = counted[scope, side, currency]
            counted[scope, side, currency] = (before[0] + count, before[1] + amount)
    totals = {key[:3]: total for key, total in outcome.summary.items() if key[3] == "total"}
    assert totals == counted
    in_period = [e for e in world.entries if world.period.first <= e.day <= world.period.last]
    assert {(e.app, e.source, e.id) for e in in_period} <= set(outcome.entries)
    assert sum(count for key, (count, _) in outcome.summary.items() if key[3] == "total") == len(
        outcome.transactions
    ) + len(outcome.entries)


def the_order_of_arrival_means_nothing(world: World, outcome: Outcome, chance: random.Random) -> None:
    def shuffled(records: tuple[T, ...] | tuple[E, ...]) -> list[object]:
        return chance.sample(records, len(records))

    again = shuffled(world.transactions), shuffled(world.entries)
    rest = world.policy, world.period, world.covered
    assert outcome == reconcile(*again, *rest)  # type: ignore[arg-type]


def no_record_is_in_two_matches(world: World) -> None:
    found: Matching = match(world.transactions, world.entries, world.policy)
    for side in ("transactions", "entries"):
        used = [(m.app, record) for m in found.matches for record in getattr(m, side)]
        assert len(used) == len(set(used))


def bookings(world: World) -> None:
    """A booking is one payment and refunds of its currency that do not exceed it; every entry stands somewhere once.

    The payment may be booked less the fee of the transaction that it names, by its id or its reference: refunds may
    reach the whole amount.
    """
    for app, (_, records, _) in by_app(world.transactions, world.entries, world.policy).items():
        stands = Counter(part for record in records for part in record.parts)
        assert stands == Counter(e for e in world.entries if e.app == app)
        for record in records:
            (payment, *refunds) = [part for part in record.parts if isinstance(part, E)]
            given_back = sum((-refund.amount for refund in refunds), Decimal(0))
            if refunds:
                assert (record.amount, record.day, record.family) == (payment.amount, payment.day, "refunded")
                assert 0 < given_back == record.refunded
                kept = [
                    expected_fee(t, world.policy)
                    for t in world.transactions
                    if t.app == app and (t.id == payment.transaction_id or t.reference == payment.reference)
                ]
                assert given_back <= record.amount + max(kept, default=Decimal(0))
                assert {refund.currency for refund in refunds} == {payment.currency}
            elif record.refunded:
                assert (record.refunded, record.family) == (-record.amount, "refunded")


@settings(max_examples=80, deadline=None)
@given(worlds(rules=FIRST_RULES, negatives=False))
def test_a_record_has_at_most_one_discrepancy_an_aspect(world: World) -> None:
    outcome = reconciled(world)
    keys = [(d.app, d.transactions, d.entries, d.aspect) for d in outcome.discrepancies]
    assert len(keys) == len(set(keys))
    assert {m.rule for m in outcome.matches} <= set(FIRST_RULES) < set(ALL_RULES)
