"""What the oracle reports for a period: worked out by hand."""

from datetime import date
from decimal import Decimal

from tests.oracle import Outcome, Policy, reconcile
from tests.oracle.words import AUGUST, found, outcomes, rules, run
from tests.support.worlds import entry, tx

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
