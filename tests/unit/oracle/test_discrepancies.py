"""The oracle's discrepancies, sentence by sentence, on worlds small enough to work out by hand."""

from datetime import date
from decimal import Decimal

import pytest

from reconcile.core.discrepancies import TYPES
from reconcile.core.money import Tolerance, Tolerances
from tests.oracle import D, Outcome, Repeated, T
from tests.oracle.words import found, only, outcomes, rules, run
from tests.support.worlds import entry, tx

# Missing, timing


@pytest.mark.parametrize("family", ["paid", "refunded"])
def test_missing_on_either_side(family: str) -> None:
    assert only(run([tx(1, family=family)], [])) == D(
        "MISSING_IN_LEDGER",
        TYPES["MISSING_IN_LEDGER"].severity,
        "ap_1",
        ("tx_1",),
        (),
        "presence",
        Decimal(100),
    )
    assert only(run([], [entry(1, family=family)])) == D(
        "MISSING_IN_KSPAY",
        TYPES["MISSING_IN_KSPAY"].severity,
        "ap_1",
        (),
        (("default", "L1"),),
        "presence",
        Decimal(-100),
    )


def test_a_pair_that_no_rule_joins_is_missing_on_both_sides() -> None:
    outcome = run([tx(1, "A")], [entry(1, "B")])
    assert found(outcome) == {"MISSING_IN_LEDGER tx_1", "MISSING_IN_KSPAY L1"}
    assert rules(outcome) == set()
    assert {m.rule for m in outcome.suggestions} == {"amount_date"}


@pytest.mark.parametrize(
    ("day", "grace", "timing"), [(31, 1, True), (30, 1, False), (30, 2, True), (31, 0, False)]
)
def test_the_last_grace_days_are_a_matter_of_timing(day: int, grace: int, timing: bool) -> None:
    outcome = run([tx(1, "A", "70", day=day)], [entry(1, "B", "80", day=day)], grace_days=grace)
    if timing:
        assert found(outcome) == {"TIMING_DIFFERENCE tx_1", "TIMING_DIFFERENCE L1"}
        assert {(d.severity, d.aspect) for d in outcome.discrepancies} == {
            (TYPES["TIMING_DIFFERENCE"].severity, "presence")
        }
        assert outcomes(outcome) == {"tx_1": "timing", "L1": "timing"}
    else:
        assert found(outcome) == {"MISSING_IN_LEDGER tx_1", "MISSING_IN_KSPAY L1"}
        assert outcomes(outcome) == {"tx_1": "unmatched", "L1": "unmatched"}


def test_grace_counts_from_the_as_of_day() -> None:
    """A nightly run of one day still waits for what the night before reported."""
    outcome = run([tx(1, day=0)], [], first=1, last=1, grace_days=2, covered=(31,))
    assert found(outcome) == {"TIMING_DIFFERENCE tx_1"}


# What can be wrong with a match


def test_a_clean_match() -> None:
    outcome = run([tx(1)], [entry(1)])
    assert found(outcome) == set()
    assert outcomes(outcome) == {"tx_1": "matched", "L1": "matched"}


def test_amount_mismatch() -> None:
    outcome = run([tx(1)], [entry(1, amount="96.5")])
    expected = D(
        "AMOUNT_MISMATCH",
        TYPES["AMOUNT_MISMATCH"].severity,
        "ap_1",
        ("tx_1",),
        (("default", "L1"),),
        "amount",
        Decimal("3.5"),
    )
    assert only(outcome) == expected
    assert outcomes(outcome) == {"tx_1": "matched_with_discrepancy", "L1": "matched_with_discrepancy"}


def test_a_difference_within_the_tolerance_is_none() -> None:
    tolerance = Tolerances(Tolerance(fixed=Decimal("3.5")))
    assert found(run([tx(1)], [entry(1, amount="96.5")], tolerance=tolerance)) == set()
    by_provider = [tx(1, None, order="o")], [entry(1, None, "96.5", order="o")]
    assert found(run(*by_provider, tolerance=tolerance)) == set()
    assert found(run(*by_provider)) == {"AMOUNT_MISMATCH tx_1 L1"}


def test_currency_mismatch_and_then_no_amount_mismatch() -> None:
    outcome = run([tx(1)], [entry(1, amount="90", currency="USD", family="unpaid")])
    assert found(outcome) == {"CURRENCY_MISMATCH tx_1 L1", "STATUS_MISMATCH tx_1 L1"}
    assert {d.difference for d in outcome.discrepancies} == {None}
    assert {d.aspect for d in outcome.discrepancies} == {"amount", "status"}


AGREEING = {
    ("paid", "paid"),
    ("refunded", "refunded"),
    ("refunded", "cancelled"),
    ("pending", "unpaid"),
    ("pending", "cancelled"),
    ("failed", "unpaid"),
    ("failed", "cancelled"),
    ("cancelled", "unpaid"),
    ("cancelled", "cancelled"),
}


@pytest.mark.parametrize("kspay", ["paid", "pending", "failed", "cancelled", "refunded", "unknown"])
@pytest.mark.parametrize("ledger", ["paid", "unpaid", "cancelled", "refunded", "unknown"])
def test_status_mismatch_by_families(kspay: str, ledger: str) -> None:
    """Created on the last day, so that no pending one is stale."""
    outcome = run([tx(1, family=kspay, day=31)], [entry(1, family=ledger, day=31)])
    if "unknown" in (kspay, ledger):
        assert found(outcome) == {"UNKNOWN_STATUS tx_1 L1"}
        assert (only(outcome).severity, only(outcome).aspect) == (TYPES["UNKNOWN_STATUS"].severity, "status")
    elif (kspay, ledger) in AGREEING:
        assert found(outcome) == set()
    else:
        assert found(outcome) == {"STATUS_MISMATCH tx_1 L1"}
        assert (only(outcome).severity, only(outcome).difference) == (
            TYPES["STATUS_MISMATCH"].severity,
            Decimal(0),
        )


def test_any_pair_of_families_that_disagrees() -> None:
    parts = [entry(1, amount="60"), entry(2, amount="40", family="unpaid")]
    assert found(run([tx(1)], parts)) == {"STATUS_MISMATCH tx_1 L1 L2"}
    parts[0] = entry(1, amount="60", family="unknown")
    assert found(run([tx(1)], parts)) == {"UNKNOWN_STATUS tx_1 L1 L2"}


@pytest.mark.parametrize(("day", "apart"), [(13, False), (14, True), (7, False), (6, True)])
def test_date_mismatch(day: int, apart: bool) -> None:
    outcome = run([tx(1)], [entry(1, day=day)])
    assert found(outcome) == ({"DATE_MISMATCH tx_1 L1"} if apart else set())
    assert {(d.severity, d.aspect) for d in outcome.discrepancies} <= {
        (TYPES["DATE_MISMATCH"].severity, "date")
    }


def test_the_dates_shown_are_the_earliest() -> None:
    """The second half is booked a week later, but the first on the very day; a booking shows its sale."""
    late = entry(2, amount="40", day=17)
    assert found(run([tx(1)], [entry(1, amount="60"), late])) == set()
    assert found(run([tx(1)], [entry(1, amount="60", day=16), late])) == {"DATE_MISMATCH tx_1 L1 L2"}
    assert found(run([tx(1, family="refunded")], [entry(1), entry(2, amount="-100", day=30)])) == set()
    assert found(run([tx(1, family="refunded")], [entry(1, day=20), entry(2, amount="-100", day=10)])) == {
        "DATE_MISMATCH tx_1 L1 L2"
    }


def test_a_match_may_carry_several_discrepancies() -> None:
    outcome = run([tx(1, family="pending")], [entry(1, amount="9", day=20)])
    expected = {"AMOUNT_MISMATCH tx_1 L1", "STATUS_MISMATCH tx_1 L1", "DATE_MISMATCH tx_1 L1"}
    assert found(outcome) == expected
    assert {d.difference for d in outcome.discrepancies} == {Decimal(91)}


def test_differences_are_of_sums() -> None:
    tolerance = Tolerances(Tolerance(fixed=Decimal(1)))
    outcome = run(
        [tx(1)], [entry(1, amount="60"), entry(2, amount="39", family="unpaid")], tolerance=tolerance
    )
    assert only(outcome).difference == 1


# Stale pending


@pytest.mark.parametrize(("at", "stale"), [("00:00", False), ("23:59:59", True)])
def test_pending_is_stale_after_more_than_the_stale_hours(at: str, stale: bool) -> None:
    """The as-of day ends at midnight in Kolkata: 24 hours before is the start of the 31st."""
    day = 30 if stale else 31
    outcome = run([tx(1, family="pending", day=day, at=at)], [])
    assert found(outcome) == ({"STALE_PENDING tx_1"} if stale else set())
    assert outcomes(outcome) == {"tx_1": "unmatched" if stale else "excluded"}
    assert {(d.severity, d.aspect, d.difference) for d in outcome.discrepancies} <= {
        (TYPES["STALE_PENDING"].severity, "presence", Decimal(100))
    }


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("unpaid", {"STALE_PENDING"}),
        ("cancelled", {"STALE_PENDING"}),
        ("refunded", {"STALE_PENDING", "STATUS_MISMATCH"}),
        ("unknown", {"STALE_PENDING", "UNKNOWN_STATUS"}),
        ("paid", {"STATUS_MISMATCH"}),
    ],
)
def test_stale_unless_matched_with_a_paid_entry(family: str, expected: set[str]) -> None:
    outcome = run([tx(1, family="pending")], [entry(1, family=family)])
    assert {d.type for d in outcome.discrepancies} == expected


def test_one_stale_transaction_makes_the_match_stale() -> None:
    halves = [tx(1, amount="60", family="pending", day=29), tx(2, amount="40", family="pending", day=31)]
    assert found(run(halves, [entry(1, family="unpaid", day=29)])) == {"STALE_PENDING tx_1 tx_2 L1"}


# Duplicates


def test_a_second_transaction_of_a_matched_reference() -> None:
    outcome = run([tx(1), tx(2)], [entry(1)])
    assert found(outcome) == {"DUPLICATE_IN_KSPAY tx_2"}
    assert (only(outcome).severity, only(outcome).aspect, only(outcome).difference) == (
        TYPES["DUPLICATE_IN_KSPAY"].severity,
        "presence",
        Decimal(100),
    )
    assert outcomes(outcome) == {"tx_1": "matched", "L1": "matched", "tx_2": "unmatched"}


def test_a_duplicate_that_was_given_back_is_information() -> None:
    outcome = run([tx(1), tx(2, family="refunded")], [entry(1)])
    assert found(outcome) == {"DUPLICATE_IN_KSPAY tx_2"}
    assert only(outcome).severity == TYPES["DUPLICATE_IN_KSPAY"].severity_of_refunded


@pytest.mark.parametrize(("day", "duplicate"), [(3, True), (17, True), (2, False), (18, False)])
def test_a_matched_one_within_the_duplicate_days_either_way(day: int, duplicate: bool) -> None:
    outcome = run([tx(1), tx(2, day=day)], [entry(1)])
    assert found(outcome) == {"DUPLICATE_IN_KSPAY tx_2" if duplicate else "MISSING_IN_LEDGER tx_2"}


def test_duplicate_days_are_business_days_not_hours() -> None:
    """23:59 on the 17th is seven days and twelve hours after noon on the 10th."""
    assert found(run([tx(1), tx(2, day=17, at="23:59")], [entry(1)])) == {"DUPLICATE_IN_KSPAY tx_2"}


def test_an_unmatched_earlier_one_makes_the_later_a_duplicate() -> None:
    """tx_3 comes first, by its time; of equal times the lower id is the first."""
    outcome = run([tx(1, at="12:00"), tx(2, at="12:00"), tx(3, at="11:59")], [])
    assert found(outcome) == {"MISSING_IN_LEDGER tx_3", "DUPLICATE_IN_KSPAY tx_1", "DUPLICATE_IN_KSPAY tx_2"}
    outcome = run([tx(1), tx(2)], [])
    assert found(outcome) == {"MISSING_IN_LEDGER tx_1", "DUPLICATE_IN_KSPAY tx_2"}
    outcome = run([tx(1, day=1), tx(2, day=9)], [])
    assert found(outcome) == {"MISSING_IN_LEDGER tx_1", "MISSING_IN_LEDGER tx_2"}


@pytest.mark.parametrize(
    "other",
    [
        tx(1, family="failed"),
        tx(1, family="pending", day=30, at="23:00"),
        tx(1, family="unknown"),
        tx(1, "R2"),
        tx(1, app="ap_2"),
        tx(1, currency="USD"),
        tx(1, amount="99.99"),
    ],
)
def test_what_makes_no_duplicate(other: T) -> None:
    assert "MISSING_IN_LEDGER tx_2" in found(run([other, tx(2)], []))


def test_no_reference_no_duplicate() -> None:
    assert found(run([tx(1, None), tx(2, None)], [])) == {"MISSING_IN_LEDGER tx_1", "MISSING_IN_LEDGER tx_2"}


def test_a_duplicate_is_no_matter_of_timing() -> None:
    assert found(run([tx(1, day=31), tx(2, day=31)], [entry(1, day=31)])) == {"DUPLICATE_IN_KSPAY tx_2"}


def test_a_duplicate_entry_by_reference_and_by_name() -> None:
    outcome = run([tx(1)], [entry(1), entry(2)])
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L2"}
    assert (only(outcome).severity, only(outcome).aspect) == (
        TYPES["DUPLICATE_IN_LEDGER"].severity,
        "presence",
    )
    assert only(outcome).difference == -100
    by_name = [entry(1, None, names="tx_9"), entry(2, None, names="tx_9", day=9)]
    assert found(run([], by_name)) == {"MISSING_IN_KSPAY L2", "DUPLICATE_IN_LEDGER L1"}


@pytest.mark.parametrize(("day", "duplicate"), [(3, True), (17, True), (2, False), (18, False)])
def test_a_duplicate_entry_within_the_duplicate_days(day: int, duplicate: bool) -> None:
    outcome = run([tx(1)], [entry(1), entry(2, day=day)])
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L2" if duplicate else "MISSING_IN_KSPAY L2"}


def test_a_matched_entry_counts_under_its_transactions_keys() -> None:
    """L1 names tx_1 and has no reference; L2 has the reference of tx_1 and names none, or the reverse."""
    outcome = run([tx(1)], [entry(1, None, names="tx_1"), entry(2, "R1")])
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L2"}
    outcome = run([tx(1)], [entry(1), entry(2, None, "100", "refunded", names="tx_1")], rules=("reference",))
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L2"}


def test_a_duplicate_is_of_one_amount_within_the_tolerance() -> None:
    """1 % of the second payment is 0.99: it reaches 100.98, and not 101 or 98."""
    percent = Tolerances(Tolerance(percent=Decimal(1)))
    for first, duplicate in (
        ("99.98", True),
        ("98.01", True),
        ("98", False),
        ("99.99", True),
        ("101", False),
    ):
        records = [tx(1, amount=first), tx(2, amount="99")], [entry(1, amount=first)]
        expected = "DUPLICATE_IN_KSPAY tx_2" if duplicate else "MISSING_IN_LEDGER tx_2"
        assert found(run(*records, tolerance=percent)) == {expected}, first
    half = Tolerances(Tolerance(fixed=Decimal("0.5")))
    booked = [entry(1, amount="100"), entry(2, amount="100.5")]
    assert found(run([tx(1)], booked, tolerance=half)) == {"DUPLICATE_IN_LEDGER L2"}
    booked = [entry(1, amount="100"), entry(2, amount="100.51")]
    assert found(run([tx(1)], booked, tolerance=half)) == {"MISSING_IN_KSPAY L2"}


def test_a_duplicate_entry_is_of_one_currency() -> None:
    records = [tx(1)], [entry(1), entry(2, currency="USD")]
    assert found(run(*records)) == {"MISSING_IN_KSPAY L2"}


def test_a_duplicate_entry_is_of_one_sign() -> None:
    """A tolerance of 250 reaches from 100 to -100, but a refund does not repeat a payment."""
    wide = Tolerances(Tolerance(fixed=Decimal(250)))
    records = [tx(1)], [entry(1), entry(2, amount="-101")]
    assert found(run(*records, tolerance=wide, rules=("reference",))) == {"MISSING_IN_KSPAY L2"}


def test_a_second_refund_repeats_the_first() -> None:
    """L2 stands in the booking with L1; L3 is its equal, within the duplicate days of L2, not of L1."""
    payment = [tx(1, family="refunded", day=1)]
    twice = [entry(1, day=1), entry(2, amount="-100", day=15), entry(3, amount="-100", day=20)]
    outcome = run(payment, twice)
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L3"}
    told = Repeated(("default", "L2"), date(2026, 8, 15), frozenset({("tx_1",)}))
    assert (only(outcome).repeats, only(outcome).difference) == (told, Decimal(100))
    twice[2] = entry(3, amount="-100", day=23)
    assert found(run(payment, twice)) == {"MISSING_IN_KSPAY L3"}
    twice[2] = entry(3, amount="-99", day=20)
    assert found(run(payment, twice)) == {"MISSING_IN_KSPAY L3"}


def test_a_second_refund_repeats_the_first_of_an_unmatched_booking() -> None:
    twice = [entry(1), entry(2, amount="-100", day=11), entry(3, amount="-100", day=12)]
    assert found(run([], twice)) == {"MISSING_IN_KSPAY L1 L2", "DUPLICATE_IN_LEDGER L3"}


def test_an_unmatched_booking_goes_by_its_positive() -> None:
    """Booked twice, and the first taken back much later: its 100 of the 10th repeats the 100 of the 12th."""
    outcome = run([tx(1)], [entry(1), entry(2, day=12), entry(3, amount="-100", day=29)])
    assert found(outcome) == {"DUPLICATE_IN_LEDGER L1 L3"}
    assert only(outcome).repeats == Repeated(("default", "L2"), date(2026, 8, 12), frozenset({("tx_1",)}))
    assert only(outcome).difference == -100


def test_the_one_that_a_duplicate_repeats() -> None:
    """A matched one before an unmatched one, then the nearest, then the lowest id."""
    far = Repeated(("tx_1",), date(2026, 8, 4), frozenset({("default", "L1")}))
    (told,) = of("tx_3", run([tx(1, day=4), tx(2, day=10), tx(3, day=10)], [entry(1, day=4)]))
    assert told == far
    (told,) = of("tx_3", run([tx(1, day=8), tx(2, day=9), tx(3, day=10)], []))
    assert told == Repeated(("tx_2",), date(2026, 8, 9), frozenset())
    (told,) = of("tx_3", run([tx(2, day=9), tx(1, day=9), tx(3, day=10)], []))
    assert told == Repeated(("tx_1",), date(2026, 8, 9), frozenset())
    (told,) = [d.repeats for d in run([tx(1)], [entry(1), entry(2)]).discrepancies]
    assert told == Repeated(("default", "L1"), date(2026, 8, 10), frozenset({("tx_1",)}))


def of(transaction: str, outcome: Outcome) -> list[Repeated | None]:
    return [d.repeats for d in outcome.discrepancies if d.transactions == (transaction,)]


def test_unmatched_entries_of_equal_date_by_source_and_id() -> None:
    outcome = run([], [entry(1, source="b"), entry(2, source="a")])
    assert found(outcome) == {"MISSING_IN_KSPAY L2", "DUPLICATE_IN_LEDGER L1"}


def test_an_unpaid_entry_neither_is_nor_makes_a_duplicate() -> None:
    assert found(run([tx(1)], [entry(1), entry(2, family="unpaid")])) == set()
    outcome = run([tx(1, family="pending", day=31)], [entry(1, family="unpaid", day=31), entry(2, day=20)])
    assert found(outcome) == {"MISSING_IN_KSPAY L2"}


# Unmatched and of no money


@pytest.mark.parametrize("family", ["failed", "cancelled"])
def test_failed_and_cancelled_transactions_are_excluded(family: str) -> None:
    outcome = run([tx(1, family=family)], [])
    assert found(outcome) == set()
    assert outcomes(outcome) == {"tx_1": "excluded"}


@pytest.mark.parametrize("family", ["unpaid", "cancelled"])
def test_unpaid_and_cancelled_entries_are_excluded(family: str) -> None:
    outcome = run([], [entry(1, family=family)])
    assert found(outcome) == set()
    assert outcomes(outcome) == {"L1": "excluded"}


def test_an_unmatched_unknown_status() -> None:
    outcome = run([tx(1, "A", family="unknown")], [entry(1, "B", family="unknown")])
    assert found(outcome) == {"UNKNOWN_STATUS tx_1", "UNKNOWN_STATUS L1"}
    assert outcomes(outcome) == {"tx_1": "unmatched", "L1": "unmatched"}
