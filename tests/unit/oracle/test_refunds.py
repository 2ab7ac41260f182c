"""The oracle's refund bookings and what it says of refunds that differ: worked out by hand."""

from decimal import Decimal

import pytest

from reconcile.core.money import Tolerance, Tolerances
from tests.oracle import D
from tests.oracle.words import found, only, outcomes, rules, run
from tests.support.worlds import entry, tx

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
    assert found(outcome) == {"REFUND_MISMATCH tx_1 L1 L2"}
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
    outcome = run([tx(1), tx(2, family="refunded", word="partially_refunded")], entries)
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
    """L2 is of tx_2, by name or by reference, and L1 of tx_1, whatever else they share."""
    for sale, refund in (
        (entry(1, "R9", names="tx_1"), entry(2, "R9", "-100", names="tx_2")),
        (entry(1, "R1"), entry(2, "R1", "-100", names="tx_2")),
        (entry(1, "R2", names="tx_1"), entry(2, "R2", "-100")),
    ):
        outcome = run([tx(1), tx(2, "R2")], [sale, refund])
        assert {m.split()[1] for m in rules(outcome)} == {"L1", "L2"}


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


# Refunds and payments that meet through the transaction


def test_a_reference_of_one_transaction_stands_for_naming_it() -> None:
    """The sale was booked under the invoice and names the payment; the refund knows the order alone. Or the reverse."""
    payment = tx(1, "ORD-1", family="refunded")
    sale, refund = entry(1, "INV-1", names="tx_1"), entry(2, "ORD-1", "-100")
    outcome = run([payment], [sale, refund])
    assert rules(outcome) == {"transaction_id L1+L2"}
    assert found(outcome) == set()
    sale, refund = entry(1, "ORD-1"), entry(2, "CN-1", "-100", names="tx_1")
    outcome = run([payment], [sale, refund])
    assert rules(outcome) == {"transaction_id L1+L2"}
    assert found(outcome) == set()


def test_a_reference_without_a_name_on_either_entry_needs_no_transaction() -> None:
    assert found(run([], [entry(1), entry(2, amount="-100")])) == {"MISSING_IN_KSPAY L1 L2"}


def test_a_failed_try_is_a_transaction_too() -> None:
    """Two carry ORD-1, so it stands for naming neither."""
    tries = [tx(1, "ORD-1", family="refunded"), tx(2, "ORD-1", family="failed", day=9)]
    outcome = run(tries, [entry(1, "INV-1", names="tx_1"), entry(2, "ORD-1", "-100")])
    assert rules(outcome) == {"transaction_id L1", "reference_differs L2"}
    assert found(outcome) == {"STATUS_MISMATCH tx_1 L1", "AMOUNT_MISMATCH tx_2 L2", "STATUS_MISMATCH tx_2 L2"}


def test_a_name_that_nobody_knows_leaves_the_reference() -> None:
    """Some books name the refund's own id at the gateway, or their own id of the sale."""
    for sale, refund in ((None, "tx_r"), ("tx_s", None), ("tx_s", "tx_r"), ("tx_1", "tx_r")):
        booked = [entry(1, names=sale), entry(2, amount="-100", names=refund)]
        outcome = run([tx(1, family="refunded")], booked)
        assert len(rules(outcome)) == 1
        assert found(outcome) == set()
    # So they do if KS Pay knows nothing of the order.
    booked = [entry(1, names="tx_s"), entry(2, amount="-100", names="tx_r")]
    assert found(run([], booked)) == {"MISSING_IN_KSPAY L1 L2"}


def test_a_name_counts_though_nobody_knows_it() -> None:
    booked = [entry(1, None, names="tx_9"), entry(2, None, "-100", names="tx_9")]
    assert found(run([], booked)) == {"MISSING_IN_KSPAY L1 L2"}


def test_all_refunds_of_a_payment_count_together_however_they_are_keyed() -> None:
    """30 by the order and 70 by the payment are all of 100; 71 would be too much, and nothing is exactly 100."""
    entries = [entry(1), entry(2, amount="-30"), entry(3, None, "-70", names="tx_1")]
    assert rules(run([tx(1, family="refunded")], entries)) == {"transaction_id L1+L2+L3"}
    entries[2] = entry(3, None, "-71", names="tx_1")
    outcome = run([tx(1, family="refunded")], entries)
    assert rules(outcome) == {"reference L1"}
    assert found(outcome) == {"STATUS_MISMATCH tx_1 L1", "MISSING_IN_KSPAY L2", "MISSING_IN_KSPAY L3"}


def test_of_refunds_that_exceed_the_one_of_exactly_the_amount_is_booked() -> None:
    entries = [entry(1), entry(2, amount="-40", day=11), entry(3, amount="-100", day=12)]
    outcome = run([tx(1, family="refunded")], entries)
    assert rules(outcome) == {"reference L1+L3"}
    assert found(outcome) == {"MISSING_IN_KSPAY L2"}


# Refunds that differ

TWO_PAYMENTS = [tx(1, amount="60"), tx(2, amount="40", family="refunded")]


@pytest.mark.parametrize(
    ("family", "word", "refunds", "expected"),
    [
        ("paid", "", ("-100",), (Decimal(0), Decimal(100))),
        ("paid", "", ("-10", "-0.5"), (Decimal(0), Decimal("10.5"))),
        ("refunded", "", ("-100",), None),
        ("refunded", "", ("-60", "-40"), None),
        ("refunded", "", ("-99.99",), (Decimal(100), Decimal("99.99"))),
        ("refunded", "", ("-10",), (Decimal(100), Decimal(10))),
        ("refunded", "refunded", ("-100",), None),
        ("refunded", "partially_refunded", ("-10",), None),
        ("refunded", "partially_refunded", ("-99.99",), None),
        ("refunded", "partially_refunded", ("-60", "-40"), (None, Decimal(100))),
        ("refunded", "Partially Refunded", ("-100",), (None, Decimal(100))),
        ("refunded", " PARTIAL-REFUND", ("-100",), (None, Decimal(100))),
        ("refunded", "_partial", ("-10",), None),
        ("refunded", "refunded_partially", ("-10",), (Decimal(100), Decimal(10))),
    ],
)
def test_refund_mismatch(
    family: str, word: str, refunds: tuple[str, ...], expected: tuple[Decimal | None, Decimal] | None
) -> None:
    booked = [entry(1), *(entry(n, amount=part) for n, part in enumerate(refunds, 2))]
    outcome = run([tx(1, family=family, word=word)], booked)
    ids = tuple(("default", e.id) for e in booked)
    if expected is None:
        assert found(outcome) == set()
    else:
        assert only(outcome) == D(
            "REFUND_MISMATCH", "high", "ap_1", ("tx_1",), ids, "status", Decimal(0), None, *expected
        )


def test_refunds_are_compared_within_the_tolerance() -> None:
    one = Tolerances(Tolerance(fixed=Decimal(1)))
    for back, whole, part in (("-99", set(), True), ("-98.99", {"REFUND_MISMATCH tx_1 L1 L2"}, False)):
        booked = [entry(1), entry(2, amount=back)]
        assert found(run([tx(1, family="refunded")], booked, tolerance=one)) == whole
        told = found(run([tx(1, family="refunded", word="partial")], booked, tolerance=one))
        assert bool(told) is part


@pytest.mark.parametrize("family", ["pending", "failed", "cancelled"])
def test_refunds_of_what_was_never_paid_are_a_matter_of_status(family: str) -> None:
    outcome = run([tx(1, family=family, day=31)], [entry(1, day=31), entry(2, amount="-100", day=31)])
    assert found(outcome) == {"STATUS_MISMATCH tx_1 L1 L2"}
    assert (only(outcome).kspay_refunded, only(outcome).ledger_refunded) == (None, None)


def test_an_unknown_status_comes_before_refunds() -> None:
    assert found(run([tx(1, family="unknown")], [entry(1), entry(2, amount="-100")])) == {
        "UNKNOWN_STATUS tx_1 L1 L2"
    }


def test_a_refund_that_is_told_by_its_status_alone_is_a_matter_of_status() -> None:
    """Nobody knows how much of a positive entry `refunded` was given back."""
    assert found(run([tx(1)], [entry(1, family="refunded")])) == {"STATUS_MISMATCH tx_1 L1"}
    assert found(run([tx(1, family="refunded", word="partial")], [entry(1, family="refunded")])) == set()


def test_a_refund_alone_books_a_refund_too() -> None:
    """The payment is missing in the ledger: it gave back 100 (so did KS Pay), and the amount differs by 200."""
    outcome = run([tx(1, family="refunded")], [entry(1, amount="-100")])
    assert found(outcome) == {"AMOUNT_MISMATCH tx_1 L1"}
    outcome = run([tx(1)], [entry(1, amount="-100")])
    assert found(outcome) == {"AMOUNT_MISMATCH tx_1 L1", "REFUND_MISMATCH tx_1 L1"}
    assert {d.difference for d in outcome.discrepancies} == {Decimal(200)}
    assert {d.ledger_refunded for d in outcome.discrepancies if d.type == "REFUND_MISMATCH"} == {Decimal(100)}


def test_refunds_of_several_add_up() -> None:
    """Two payments of one order, booked as one; 40 was given back. Of one family each, they still disagree."""
    booked = [entry(1), entry(2, amount="-40")]
    assert found(run(TWO_PAYMENTS, booked)) == {"STATUS_MISMATCH tx_1 tx_2 L1 L2"}
    booked = [entry(1), entry(2, amount="-60")]
    (refunds,) = run(TWO_PAYMENTS, booked).discrepancies
    assert (refunds.type, refunds.kspay_refunded, refunds.ledger_refunded) == (
        "REFUND_MISMATCH",
        Decimal(40),
        Decimal(60),
    )
    # One payment, booked in two with a refund each: 60 + 40 given back of 100.
    parts = [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="-60"), entry(4, amount="-40")]
    outcome = run([tx(1, family="refunded")], parts)
    assert (rules(outcome), found(outcome)) == ({"reference_split L1+L2+L3+L4"}, set())
    outcome = run([tx(1, family="refunded")], parts[:3])
    assert found(outcome) == {"REFUND_MISMATCH tx_1 L1 L2 L3"}


def test_refunds_in_another_currency_are_not_compared() -> None:
    booked = [entry(1, amount="8300"), entry(2, amount="-100")]
    dollars = tx(1, currency="USD", family="refunded")
    assert found(run([dollars], booked)) == {"CURRENCY_MISMATCH tx_1 L1 L2"}
    dollars = tx(1, currency="USD")
    assert found(run([dollars], booked)) == {"CURRENCY_MISMATCH tx_1 L1 L2", "REFUND_MISMATCH tx_1 L1 L2"}
