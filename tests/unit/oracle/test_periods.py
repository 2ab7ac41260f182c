"""The oracle's refund bookings, and what it reports for a period: worked out by hand, and as laws."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings

from tests.oracle import ALL_RULES, Outcome, Policy, reconcile
from tests.oracle.words import AUGUST, found, only, outcomes, rules, run
from tests.support.worlds import World, entry, tx, worlds

FIRST_RULES = ("transaction_id", "reference", "reference_differs")


# Refund bookings


def test_one_positive_and_its_negatives_are_one_booking() -> None:
    """The booking is refunded and has its positive's amount: all is well."""
    records = [tx(1, family="refunded")], [entry(1), entry(2, amount="-60"), entry(3, amount="-40", day=29)]
    outcome = run(*records)
    assert rules(outcome) == {"reference L1+L2+L3"}
    assert found(outcome) == set()
    assert outcomes(outcome) == dict.fromkeys(("tx_1", "L1", "L2", "L3"), "matched")
    assert outcome.summary["period", "ledger", "INR", "matched"] == (3, Decimal(0))


def test_a_booking_against_a_paid_transaction_disagrees() -> None:
    outcome = run([tx(1)], [entry(1), entry(2, amount="-100")])
    assert found(outcome) == {"STATUS_MISMATCH tx_1 L1 L2"}
    assert only(outcome).difference == 0


def test_negatives_that_exceed_their_positive_stand_alone() -> None:
    outcome = run([tx(1)], [entry(1), entry(2, amount="-60", day=1), entry(3, amount="-41", day=20)])
    assert rules(outcome) == {"reference L1"}
    assert outcomes(outcome) == {"tx_1": "matched", "L1": "matched", "L2": "unmatched", "L3": "unmatched"}


def test_several_positives_pair_with_negatives_of_exactly_their_amount() -> None:
    """By date: L2 (5th) is the first 100, L3 the first -100; L5 finds no 70."""
    entries = [
        entry(1, day=6),
        entry(2, day=5),
        entry(3, amount="-100", day=9),
        entry(4, amount="80"),
        entry(5, amount="-70"),
    ]
    outcome = run([tx(1, family="refunded"), tx(2), tx(3, amount="80")], entries)
    assert rules(outcome) == {"reference L2+L3", "reference L1", "reference L4"}
    assert outcomes(outcome)["L5"] == "unmatched"


def test_the_kth_positive_pairs_with_the_kth_negative() -> None:
    entries = [entry(1), entry(2), entry(3), entry(4, amount="-100", day=12), entry(5, amount="-100", day=11)]
    outcome = run([tx(1, family="refunded"), tx(2, family="refunded"), tx(3)], entries)
    assert rules(outcome) == {"reference L1+L5", "reference L2+L4", "reference L3"}


def test_a_refund_belongs_to_the_transaction_it_names() -> None:
    """Of two payments of one order the second was given back, in part."""
    entries = [entry(1, names="tx_1"), entry(2, names="tx_2"), entry(3, amount="-30", names="tx_2")]
    outcome = run([tx(1), tx(2, family="refunded")], entries)
    assert rules(outcome) == {"transaction_id L1", "transaction_id L2+L3"}
    assert found(outcome) == set()


def test_else_to_its_reference() -> None:
    """The refund names none, or one that no positive names: the reference of the sale decides."""
    for sale, refund in ((None, None), ("tx_1", None), (None, "tx_1")):
        outcome = run(
            [tx(1, family="refunded")], [entry(1, names=sale), entry(2, amount="-100", names=refund)]
        )
        assert len(outcome.matches) == 1
        assert found(outcome) == set()


def test_not_to_a_positive_that_names_another_transaction() -> None:
    outcome = run([tx(1)], [entry(1, names="tx_1"), entry(2, amount="-100", names="tx_9")])
    assert rules(outcome) == {"transaction_id L1"}


def test_a_refund_that_names_its_transaction_comes_before_an_earlier_one_that_does_not() -> None:
    """L3 may give back either sale, and comes first by date; but only L1 is left for L4, which names tx_1."""
    entries = [
        entry(1, names="tx_1"),
        entry(2, names="tx_2", day=11),
        entry(5, names="tx_1", currency="USD"),
        entry(3, amount="-100", day=12),
        entry(4, amount="-100", day=13, names="tx_1"),
        entry(6, "R2", names="tx_1", day=14),
    ]
    outcome = run([tx(1, family="refunded"), tx(2, family="refunded")], entries)
    assert {"transaction_id L1+L4", "transaction_id L2+L3"} <= rules(outcome)


def test_a_booking_carries_the_keys_of_all_its_entries() -> None:
    """The sale has the reference alone; the refund knows the payment's id at the provider."""
    entries = [entry(1, "R9"), entry(2, "R9", "-100", order="o1")]
    assert rules(run([tx(1, "other", family="refunded", order="o1")], entries)) == {"provider_id L1+L2"}


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ({}, {"currency": "USD"}),
        ({}, {"reference": "R2"}),
        ({}, {"app": "ap_2"}),
        ({}, {"family": "unpaid"}),
        ({}, {"family": "cancelled"}),
        ({"family": "unpaid"}, {}),
        ({"family": "unknown"}, {}),
    ],
)
def test_what_makes_no_booking(positive: dict[str, str], negative: dict[str, str]) -> None:
    outcome = run([tx(1)], [entry(1, **positive), entry(2, amount="-100", **negative)], rules=("reference",))  # type: ignore[arg-type]
    assert rules(outcome) == {"reference L1"}


def test_a_refunded_positive_and_a_refunded_negative_are_a_booking_too() -> None:
    entries = [entry(1, family="refunded"), entry(2, amount="-100", family="refunded")]
    assert rules(run([tx(1, family="refunded")], entries)) == {"reference L1+L2"}


def test_a_left_over_negative_is_refunded_and_negative() -> None:
    outcome = run([], [entry(1, None, "-100")])
    assert found(outcome) == {"MISSING_IN_KSPAY L1"}
    assert only(outcome).difference == 100
    assert found(run([tx(1, family="refunded")], [entry(1, amount="-100")])) == {"AMOUNT_MISMATCH tx_1 L1"}


def test_an_unmatched_booking_is_one_discrepancy() -> None:
    outcome = run([], [entry(1), entry(2, amount="-60")])
    assert found(outcome) == {"MISSING_IN_KSPAY L1 L2"}
    assert only(outcome).difference == -100


# Periods: days 0 and less are of July, 32 and more of September


def test_only_records_of_the_period_are_reported() -> None:
    outcome = run([tx(1, day=0), tx(2, "R2", day=1), tx(3, "R3", day=15), tx(4, "R4", day=32)], [])
    assert found(outcome) == {"MISSING_IN_LEDGER tx_2", "MISSING_IN_LEDGER tx_3"}
    assert set(outcomes(outcome)) == {"tx_2", "tx_3"}


def test_the_business_date_decides() -> None:
    """00:10 in Kolkata on 1 August is 31 July in UTC, and 23:50 on 31 August is in August in both."""
    records = [tx(1, day=1, at="00:10"), tx(2, "R2", day=31, at="23:50"), tx(3, "R3", day=32, at="00:10")]
    assert set(outcomes(run(records, []))) == {"tx_1", "tx_2"}


def test_earlier_records_that_are_not_clean_are_carried_if_their_day_was_covered() -> None:
    records = [tx(1, day=0), tx(2, "R2", day=-1), tx(3, "R3", day=0), tx(4, "R4", day=0, family="failed")]
    outcome = run(records, [entry(3, "R3", day=0)], covered=(31,))
    assert found(outcome) == {"MISSING_IN_LEDGER tx_1"}
    assert outcomes(outcome) == {"tx_1": "unmatched"}
    assert outcome.matches == set()
    assert outcome.summary == {
        ("carried", "kspay", "INR", "unmatched"): (1, Decimal(100)),
        ("carried", "kspay", "INR", "total"): (1, Decimal(100)),
    }


def test_records_outside_the_period_can_match() -> None:
    outcome = run([tx(1, day=31), tx(2, "R2", day=0)], [entry(1, day=32), entry(2, "R2", day=1)])
    assert found(outcome) == set()
    assert rules(outcome) == {"reference L1", "reference L2"}
    assert outcomes(outcome) == {"tx_1": "matched", "L2": "matched"}


def test_a_match_across_the_periods_start_carries_its_earlier_record_if_not_clean() -> None:
    outcome = run([tx(1, day=1)], [entry(1, amount="90", day=0)])
    assert found(outcome) == {"AMOUNT_MISMATCH tx_1 L1"}
    assert outcome.summary == {
        ("period", "kspay", "INR", "matched_with_discrepancy"): (1, Decimal(100)),
        ("period", "kspay", "INR", "total"): (1, Decimal(100)),
        ("carried", "ledger", "INR", "matched_with_discrepancy"): (1, Decimal(90)),
        ("carried", "ledger", "INR", "total"): (1, Decimal(90)),
    }


def test_an_earlier_match_is_carried_if_any_of_its_days_was_covered() -> None:
    records = [tx(1, day=0)], [entry(1, amount="90", day=-1)]
    assert found(run(*records)) == set()
    for day in (30, 31):
        outcome = run(*records, covered=(day,))
        assert found(outcome) == {"AMOUNT_MISMATCH tx_1 L1"}
        assert set(outcomes(outcome)) == {"tx_1", "L1"}
        assert outcome.matches == set()


def test_a_covered_day_within_or_after_the_period_carries_nothing() -> None:
    outcome = reconcile(
        [tx(1, day=32)], [], Policy(), AUGUST, frozenset({date(2026, 9, 1), date(2026, 8, 31)})
    )
    assert outcome == Outcome()


def test_summary_never_adds_currencies() -> None:
    outcome = run([tx(1), tx(2, "R2", "7", currency="USD"), tx(3, "R3", "5", family="failed")], [])
    assert outcome.summary == {
        ("period", "kspay", "INR", "unmatched"): (1, Decimal(100)),
        ("period", "kspay", "INR", "excluded"): (1, Decimal(5)),
        ("period", "kspay", "INR", "total"): (2, Decimal(105)),
        ("period", "kspay", "USD", "unmatched"): (1, Decimal(7)),
        ("period", "kspay", "USD", "total"): (1, Decimal(7)),
    }


# Laws


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_every_record_of_the_period_has_one_outcome_and_totals_are_conserved(world: World) -> None:
    outcome = reconcile(world.transactions, world.entries, world.policy, world.period, world.covered)
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


@settings(max_examples=80, deadline=None)
@given(worlds(rules=FIRST_RULES, negatives=False))
def test_a_record_has_at_most_one_discrepancy_an_aspect(world: World) -> None:
    outcome = reconcile(world.transactions, world.entries, world.policy, world.period, world.covered)
    keys = [(d.app, d.transactions, d.entries, d.aspect) for d in outcome.discrepancies]
    assert len(keys) == len(set(keys))
    assert {m.rule for m in outcome.matches} <= set(FIRST_RULES) < set(ALL_RULES)
