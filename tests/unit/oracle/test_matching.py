"""The oracle's matching, sentence by sentence, on worlds small enough to work out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from reconcile.core.money import Tolerance, Tolerances
from tests.oracle import ALL_RULES, E, Policy, T, match
from tests.oracle.matching import normalise
from tests.support.worlds import entry, tx


def rupee(fixed: str) -> Tolerances:
    return Tolerances(Tolerance(fixed=Decimal(fixed)))


def text(found: frozenset[object]) -> set[str]:
    """Matches as `reference tx_1 = L1 L2`."""
    return {
        f"{m.rule} {' '.join(sorted(m.transactions))} = {' '.join(sorted(i for _, i in m.entries))}"  # type: ignore[attr-defined]
        for m in found
    }


def joined(
    transactions: list[T],
    entries: list[E],
    *,
    rules: tuple[str, ...] = ALL_RULES,
    tolerance: Tolerances | None = None,
    **policy: object,
) -> set[str]:
    settings = Policy(rules=rules, tolerance=tolerance or rupee("0"))
    return text(match(transactions, entries, replace(settings, **policy)).matches)  # type: ignore[arg-type]


# transaction_id


def test_an_entry_names_its_transaction() -> None:
    assert joined([tx(1, "R1")], [entry(1, "other", names="tx_1")]) == {"transaction_id tx_1 = L1"}


@pytest.mark.parametrize(
    ("amount", "tolerance", "rule"),
    [
        ("99", "1", "transaction_id"),
        ("101", "1", "transaction_id"),
        ("98.99", "1", "reference_differs"),
        ("100.01", "0", "reference_differs"),
    ],
)
def test_amounts_may_differ_by_the_tolerance(amount: str, tolerance: str, rule: str) -> None:
    found = joined([tx(1)], [entry(1, None, amount, names="tx_1")], tolerance=rupee(tolerance))
    assert found == {f"{rule} tx_1 = L1"}


def test_a_percentage_is_of_the_kspay_amount() -> None:
    """1 % of 100 is 1, so 101 is within it; 1 % of 99.99 is less than the 1.01 to 101."""
    percent = Tolerances(Tolerance(percent=Decimal(1)))
    assert joined([tx(1)], [entry(1, amount="101")], tolerance=percent) == {"reference tx_1 = L1"}
    assert joined([tx(1, amount="99.99")], [entry(1, amount="101")], tolerance=percent) == {
        "reference_differs tx_1 = L1"
    }


def test_a_tolerance_belongs_to_its_currency() -> None:
    only_inr = Tolerances(named={"INR": Tolerance(fixed=Decimal(1))})
    records = [tx(1, currency="KWD")], [entry(1, amount="99", currency="KWD")]
    assert joined(*records, tolerance=only_inr) == {"reference_differs tx_1 = L1"}


def test_a_named_transaction_in_another_currency_differs() -> None:
    found = joined([tx(1)], [entry(1, None, names="tx_1", currency="USD")])
    assert found == {"reference_differs tx_1 = L1"}


def test_the_named_transaction_comes_before_the_reference() -> None:
    """By reference alone tx_1 would win, being equal in all and lower by id."""
    assert joined([tx(1), tx(2)], [entry(1, names="tx_2")]) == {"transaction_id tx_2 = L1"}


def test_keys_are_compared_within_one_app() -> None:
    assert joined([tx(1, app="ap_1")], [entry(1, names="tx_1", app="ap_2")]) == set()


# reference, and the order within a pass


def test_equal_references_and_amounts() -> None:
    assert joined([tx(1, "R1"), tx(2, "R2")], [entry(1, "R2"), entry(2, "R1")]) == {
        "reference tx_1 = L2",
        "reference tx_2 = L1",
    }


def test_a_reference_is_compared_to_the_letter() -> None:
    assert joined([tx(1, "r1")], [entry(1, "R1")], rules=("reference", "reference_differs")) == set()


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_key_matches_nothing(empty: str | None) -> None:
    records = [tx(1, empty, order=empty, txn=empty)], [entry(1, empty, order=empty, txn=empty, names=empty)]
    assert joined(*records) == set()


def test_a_record_is_used_once() -> None:
    assert joined([tx(1), tx(2)], [entry(1)]) == {"reference tx_1 = L1"}
    assert joined([tx(1)], [entry(1), entry(2)]) == {"reference tx_1 = L1"}


def test_families_that_agree_come_first() -> None:
    """The unpaid entry is equal in amount and day; the paid one is 1 rupee and 2 days off."""
    found = joined([tx(1)], [entry(1, family="unpaid"), entry(2, amount="99", day=12)], tolerance=rupee("1"))
    assert found == {"reference tx_1 = L2"}


def test_then_the_smaller_amount_difference() -> None:
    found = joined([tx(1)], [entry(1, amount="99"), entry(2, amount="100.5", day=20)], tolerance=rupee("1"))
    assert found == {"reference tx_1 = L2"}


def test_then_the_nearer_business_date() -> None:
    """00:10 in Kolkata on the 11th is still the 10th in UTC."""
    found = joined([tx(1, day=11, at="00:10")], [entry(1, day=10), entry(2, day=11)])
    assert found == {"reference tx_1 = L2"}


def test_then_the_ids_by_code_points() -> None:
    """`tx_10` sorts before `tx_2`, source `Z` before `a`, and then `L10` before `L2`."""
    assert joined([tx(2), tx(10)], [entry(1)]) == {"reference tx_10 = L1"}
    found = match([tx(1)], [entry(1, source="a"), entry(2, source="Z"), entry(10, source="Z")], Policy())
    assert {m.entries for m in found.matches} == {frozenset({("Z", "L10")})}


def test_pairs_are_taken_from_the_top_while_both_are_free() -> None:
    """Differences: tx_1-L1 0.1, tx_2-L1 0.3, tx_1-L2 0.5, tx_2-L2 0.9; tx_1-L1 leaves tx_2-L2 only."""
    found = joined(
        [tx(1, amount="100"), tx(2, amount="100.4")],
        [entry(1, amount="100.1"), entry(2, amount="99.5")],
        tolerance=rupee("1"),
    )
    assert found == {"reference tx_1 = L1", "reference tx_2 = L2"}


# The two phases


@pytest.mark.parametrize("family", ["paid", "refunded", "unknown"])
@pytest.mark.parametrize("try_", ["failed", "pending", "cancelled"])
def test_a_failed_try_never_takes_the_entry_of_a_later_phase_one_record(family: str, try_: str) -> None:
    """The try equals the unpaid entry in all and even agrees with it; the other's amount differs."""
    found = joined([tx(1, family=try_), tx(2, amount="90", family=family)], [entry(1, family="unpaid")])
    assert found == {"reference_differs tx_2 = L1"}


def test_what_phase_one_leaves_goes_to_phase_two() -> None:
    found = joined([tx(1, family="failed"), tx(2)], [entry(1, family="cancelled"), entry(2)])
    assert found == {"reference tx_2 = L2", "reference tx_1 = L1"}


# reference_split


def test_entries_that_name_one_transaction_add_up_to_it() -> None:
    found = joined([tx(1, None)], [entry(1, None, "60", names="tx_1"), entry(2, "x", "40", names="tx_1")])
    assert found == {"reference_split tx_1 = L1 L2"}


def test_entries_of_one_reference_add_up_to_a_transaction() -> None:
    found = joined([tx(1)], [entry(1, amount="60"), entry(2, amount="30"), entry(3, amount="10")])
    assert found == {"reference_split tx_1 = L1 L2 L3"}


def test_transactions_of_one_reference_add_up_to_an_entry() -> None:
    assert joined([tx(1, amount="60"), tx(2, amount="40")], [entry(1)]) == {"reference_split tx_1 tx_2 = L1"}


def test_naming_comes_before_the_reference_in_a_split() -> None:
    """60 and 40 name tx_2; with the 100 of the reference they would not add up to anything."""
    found = joined(
        [tx(1, "other", "150"), tx(2)],
        [entry(1, amount="60", names="tx_2"), entry(2, amount="40", names="tx_2"), entry(3, amount="70")],
    )
    assert found == {"reference_split tx_2 = L1 L2"}


def test_all_that_is_left_must_add_up_not_some_of_it() -> None:
    found = joined(
        [tx(1)],
        [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="5")],
        rules=("reference_split",),
    )
    assert found == set()


def test_what_an_earlier_pass_took_is_not_left() -> None:
    found = joined(
        [tx(1), tx(2, amount="7")], [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="7")]
    )
    assert found == {"reference tx_2 = L3", "reference_split tx_1 = L1 L2"}


def test_a_split_adds_up_within_the_tolerance_of_the_kspay_amount() -> None:
    entries = [entry(1, amount="60"), entry(2, amount="39")]
    assert joined([tx(1)], entries, tolerance=rupee("1")) == {"reference_split tx_1 = L1 L2"}
    assert joined([tx(1)], entries, rules=("reference_split",), tolerance=rupee("0.99")) == set()
    one_percent = Tolerances(Tolerance(percent=Decimal(1)))
    tried = [tx(1, amount="60"), tx(2, amount="40")]
    assert joined(tried, [entry(1, amount="101")], tolerance=one_percent) == {
        "reference_split tx_1 tx_2 = L1"
    }


def test_a_split_is_of_one_currency() -> None:
    found = joined(
        [tx(1)], [entry(1, amount="60"), entry(2, amount="40", currency="USD")], rules=("reference_split",)
    )
    assert found == set()


def test_failed_and_cancelled_records_do_not_count_in_a_split() -> None:
    found = joined(
        [tx(1), tx(2, amount="3", family="failed")],
        [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="5", family="cancelled")],
        rules=("reference_split",),
    )
    assert found == {"reference_split tx_1 = L1 L2"}
    for family in ("failed", "cancelled"):
        halves = [tx(1, amount="60", family=family), tx(2, amount="40", family=family)]
        assert joined(halves, [entry(1)], rules=("reference_split",)) == set()


def test_pending_transactions_split_in_phase_two() -> None:
    halves = [tx(1, amount="60", family="pending"), tx(2, amount="40", family="pending")]
    assert joined(halves, [entry(1, family="unpaid")]) == {"reference_split tx_1 tx_2 = L1"}
    mixed = [tx(1, amount="60"), tx(2, amount="40", family="pending")]
    assert joined(mixed, [entry(1)], rules=("reference_split",)) == set()


def test_the_better_of_two_records_that_a_sum_fits() -> None:
    entries = [entry(1, amount="60"), entry(2, amount="40")]
    tried = [tx(1, family="refunded"), tx(2)]
    assert joined(tried, entries, rules=("reference_split",)) == {"reference_split tx_2 = L1 L2"}
    tried = [tx(1, amount="100.5"), tx(2, amount="100.4")]
    assert joined(tried, entries, rules=("reference_split",), tolerance=rupee("1")) == {
        "reference_split tx_2 = L1 L2"
    }


# provider_id


def test_provider_ids_of_either_kind() -> None:
    assert joined([tx(1, None, order="o1")], [entry(1, None, order="o1")]) == {"provider_id tx_1 = L1"}
    assert joined([tx(1, None, txn="p1")], [entry(1, None, txn="p1")]) == {"provider_id tx_1 = L1"}


def test_an_order_id_is_not_a_transaction_id_of_the_provider() -> None:
    assert joined([tx(1, None, order="p1")], [entry(1, None, txn="p1")], rules=("provider_id",)) == set()


def test_provider_ids_match_whatever_the_amount_and_currency() -> None:
    found = joined([tx(1, None, order="o1")], [entry(1, None, "7", order="o1", currency="USD")])
    assert found == {"provider_id tx_1 = L1"}


def test_provider_ids_come_before_references_that_differ() -> None:
    found = joined([tx(1, order="o1")], [entry(1, amount="99"), entry(2, None, "98", order="o1")])
    assert found == {"provider_id tx_1 = L2"}


def test_families_come_before_the_currency_by_provider_id() -> None:
    found = joined(
        [tx(1, None, order="o1")],
        [entry(1, None, order="o1", currency="USD"), entry(2, None, "98", "unpaid", order="o1")],
    )
    assert found == {"provider_id tx_1 = L1"}


# reference_normalised


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("INV-00/12", "inv0012"),
        ("ＩＮＶ００１２", "inv0012"),  # full width: NFKC
        ("Straße 7", "strasse7"),  # case folding, not lower-casing
        ("क्र-१२", "क्र१२"),  # the vowel sign and virama are marks, and stay
        ("№ 5", "no5"),  # NFKC writes the sign out
        ("…--", ""),
        ("½", "12"),  # NFKC: 1, fraction slash, 2
    ],
)
def test_normalised_form(written: str, normalised: str) -> None:
    assert normalise(written) == normalised


def test_references_written_differently() -> None:
    assert joined([tx(1, "INV-7")], [entry(1, "inv 7")]) == {"reference_normalised tx_1 = L1"}


def test_only_letters_marks_and_digits_make_a_normalised_reference() -> None:
    assert joined([tx(1, "--")], [entry(1, "…")], rules=("reference_normalised",)) == set()


def test_normalised_references_match_whatever_the_amount() -> None:
    assert joined([tx(1, "INV-7")], [entry(1, "inv 7", "90")]) == {"reference_normalised tx_1 = L1"}


@pytest.mark.parametrize("other", [tx(2, "inv7"), entry(2, "inv7"), entry(2, "INV-7", "90")])
def test_the_only_ones_still_free_on_both_sides(other: T | E) -> None:
    ts, es = [tx(1, "INV-7")], [entry(1, "inv 7")]
    if isinstance(other, T):
        ts.append(other)
    else:
        es.append(other)
    assert joined(ts, es, rules=("reference_normalised",)) == set()


def test_those_taken_before_are_not_free() -> None:
    found = joined([tx(1, "INV-7"), tx(2, "INV-7")], [entry(1, "INV-7"), entry(2, "inv 7")])
    assert found == {"reference tx_1 = L1", "reference_normalised tx_2 = L2"}


def test_a_failed_try_does_not_hinder_a_normalised_reference() -> None:
    found = joined([tx(1, "INV-7", family="failed"), tx(2, "INV-7")], [entry(1, "inv 7")])
    assert found == {"reference_normalised tx_2 = L1"}


def test_a_reference_written_alike_is_no_normalised_match() -> None:
    assert joined([tx(1)], [entry(1, amount="90")]) == {"reference_differs tx_1 = L1"}


# reference_differs


def test_same_reference_with_another_amount_or_currency() -> None:
    assert joined([tx(1)], [entry(1, amount="90")]) == {"reference_differs tx_1 = L1"}
    assert joined([tx(1)], [entry(1, currency="USD")]) == {"reference_differs tx_1 = L1"}


def test_equal_currency_first() -> None:
    found = joined([tx(1)], [entry(1, currency="USD"), entry(2, amount="1", family="unpaid")])
    assert found == {"reference_differs tx_1 = L2"}


def test_the_nearest_amount_among_those_that_differ() -> None:
    found = joined([tx(1)], [entry(1, amount="90"), entry(2, amount="91")])
    assert found == {"reference_differs tx_1 = L2"}


# reference_differs: splits that nearly add up


@pytest.mark.parametrize(
    ("amount", "parts", "near"),
    [
        ("100", ("33.33", "33.33", "33.33"), True),  # a paisa short
        ("100", ("60", "35"), True),  # 5 % short
        ("100", ("60", "34.99"), False),
        ("100", ("60", "45"), True),  # 5 % too much
        ("100", ("60", "45.01"), False),
        ("100", ("98", "1"), True),  # misses by 1; 98 alone by 2
        ("100", ("98", "4"), False),  # misses by 2, as 98 alone does
        ("100", ("98", "3"), True),  # misses by 1
        ("100", ("96", "9"), False),  # misses by 5; 96 alone by 4
        ("33.3", ("20", "11.635"), True),  # 5 % of 33.3 is 1.665
        ("33.3", ("20", "11.634"), False),
        ("0", ("5", "3"), False),
    ],
)
@pytest.mark.parametrize("side", ["one to many", "many to one", "by name"])
def test_a_sum_that_misses_by_little_is_one_match(
    amount: str, parts: tuple[str, ...], near: bool, side: str
) -> None:
    if side == "many to one":
        transactions = [tx(n, amount=part) for n, part in enumerate(parts, 1)]
        entries = [entry(1, amount=amount)]
    else:
        key = (None, "tx_1") if side == "by name" else ("R1", None)
        transactions = [tx(1, amount=amount)]
        entries = [entry(n, key[0], part, names=key[1]) for n, part in enumerate(parts, 1)]
    found = joined(transactions, entries, rules=("reference_differs",))
    if near:
        (words,) = found
        assert words.split("=")[0].split() == ["reference_differs", *(t.id for t in transactions)]
        assert words.split("=")[1].split() == [e.id for e in entries]
    else:
        assert {len(words.split()) for words in found} == {4}  # one pair, and the others stay free


@pytest.mark.parametrize(("netted", "near"), [("-50", True), ("-50.01", False)])
def test_a_refund_alone_counts_with_its_sign_in_a_near_split(netted: str, near: bool) -> None:
    """Of two sales neither is the refund's, so it stands alone: 500 + 500 - 50 misses 1000 by 5 %."""
    entries = [entry(1, amount="500"), entry(2, amount="500"), entry(3, amount=netted)]
    found = joined([tx(1, amount="1000")], entries)
    assert found == {f"reference_differs tx_1 = L1{' L2 L3' if near else ''}"}


def test_near_splits_come_before_single_pairs() -> None:
    """96 alone would be the best of all pairs."""
    records = [tx(1, amount="101"), tx(2, "R2", "50")], [entry(1, amount="96"), entry(2, amount="4")]
    assert joined(*records) == {"reference_differs tx_1 = L1 L2"}


def test_a_near_split_has_exactly_one_on_one_side() -> None:
    found = joined([tx(1), tx(2, amount="990")], [entry(1, amount="60"), entry(2, amount="39")])
    assert found == {"reference_differs tx_1 = L1", "reference_differs tx_2 = L2"}


def test_a_near_split_is_of_one_currency() -> None:
    """60 and 39 INR are what is left in INR; 40 KWD stays alone, and is no third part."""
    entries = [entry(1, amount="60"), entry(2, amount="39"), entry(3, amount="40", currency="KWD")]
    assert joined([tx(1)], entries) == {"reference_differs tx_1 = L1 L2"}
    entries = [entry(1, amount="60"), entry(2, amount="39", currency="KWD")]
    assert joined([tx(1)], entries) == {"reference_differs tx_1 = L1"}


def test_failed_and_cancelled_records_do_not_count_in_a_near_split() -> None:
    entries = [entry(1, amount="60"), entry(2, amount="39"), entry(3, amount="39", family="cancelled")]
    assert joined([tx(1)], entries) == {"reference_differs tx_1 = L1 L2"}
    tries = [tx(1, amount="60", family="failed"), tx(2, amount="39", family="failed")]
    assert joined(tries, [entry(1, family="unpaid")]) == {"reference_differs tx_1 = L1"}
    waiting = [tx(1, amount="60", family="pending"), tx(2, amount="39", family="pending")]
    assert joined(waiting, [entry(1, family="unpaid")]) == {"reference_differs tx_1 tx_2 = L1"}
    assert joined([waiting[0], tx(2, amount="39")], [entry(1)]) == {"reference_differs tx_2 = L1"}


def test_by_name_before_the_reference_in_a_near_split() -> None:
    """60 and 39 name tx_2; with the 100 of the reference they would miss anything."""
    named = [entry(1, amount="60", names="tx_2"), entry(2, amount="39", names="tx_2")]
    found = joined([tx(1, "other", "150"), tx(2)], [*named, entry(3, amount="700")])
    assert found == {"reference_differs tx_2 = L1 L2"}


def test_what_a_pass_between_takes_may_leave_an_exact_sum() -> None:
    """60, 40 and 7 are no split of 100; by its provider id 7 is another payment's."""
    entries = [entry(1, amount="60"), entry(2, amount="40"), entry(3, amount="7", order="o1")]
    found = joined([tx(1), tx(2, None, "7", order="o1")], entries)
    assert found == {"provider_id tx_2 = L3", "reference_differs tx_1 = L1 L2"}


def test_the_tolerance_comes_first() -> None:
    """What lies within the tolerance is a split, and no near miss."""
    entries = [entry(1, amount="60"), entry(2, amount="39")]
    assert joined([tx(1)], entries, tolerance=rupee("1")) == {"reference_split tx_1 = L1 L2"}
    assert joined([tx(1)], entries, tolerance=rupee("0.99")) == {"reference_differs tx_1 = L1 L2"}


@pytest.mark.parametrize(
    ("currency", "amount", "parts"),
    [("JPY", "1000", ("333", "333", "333")), ("KWD", "1.000", ("0.333", "0.333", "0.333"))],
)
def test_near_splits_of_currencies_with_other_digits(
    currency: str, amount: str, parts: tuple[str, ...]
) -> None:
    entries = [entry(n, amount=part, currency=currency) for n, part in enumerate(parts, 1)]
    assert joined([tx(1, amount=amount, currency=currency)], entries) == {"reference_differs tx_1 = L1 L2 L3"}


# amount_date


def suggested(transactions: list[T], entries: list[E], **policy: object) -> set[str]:
    return text(match(transactions, entries, replace(Policy(), **policy)).suggestions)  # type: ignore[arg-type]


def test_a_lone_pair_of_equal_amount_and_near_date_is_suggested() -> None:
    records = [tx(1, "A")], [entry(1, "B", day=13)]
    assert suggested(*records) == {"amount_date tx_1 = L1"}
    assert joined(*records) == set()
    assert joined(*records, accept_suggestions=True) == {"amount_date tx_1 = L1"}
    assert suggested(*records, accept_suggestions=True) == set()
    assert suggested(*records, date_tolerance_days=2) == set()


@pytest.mark.parametrize(
    "other",
    [tx(2, "C"), tx(2, "C", family="refunded"), entry(2, "D"), entry(2, "D", family="refunded", day=13)],
)
def test_a_second_candidate_on_either_side_leaves_none(other: T | E) -> None:
    ts, es = [tx(1, "A")], [entry(1, "B")]
    if isinstance(other, T):
        ts.append(other)
    else:
        es.append(other)
    assert suggested(ts, es) == set()


@pytest.mark.parametrize(
    "other",
    [
        tx(2, "C", family="failed"),
        tx(2, "C", family="unknown"),
        tx(2, "C", currency="USD"),
        tx(2, "C", "99.99"),
        tx(2, "C", day=14),
        entry(2, "D", family="unpaid"),
        entry(2, "D", app="ap_2"),
    ],
)
def test_what_is_no_candidate_does_not_hinder(other: T | E) -> None:
    ts, es = [tx(1, "A")], [entry(1, "B")]
    if isinstance(other, T):
        ts.append(other)
    else:
        es.append(other)
    assert suggested(ts, es) == {"amount_date tx_1 = L1"}


def test_only_the_others_only_candidate() -> None:
    """L1 sees tx_1 alone, but tx_1 sees L1 and L2: nothing is suggested to any of them."""
    assert suggested([tx(1, "A", day=10)], [entry(1, "B", day=8), entry(2, "C", day=12)]) == set()


def test_a_suggestion_is_of_equal_amounts_whatever_the_tolerance() -> None:
    assert suggested([tx(1, "A")], [entry(1, "B", "99.5")], tolerance=rupee("1")) == set()


# Keys that are none


@pytest.mark.parametrize(
    ("transactions", "entries", "matches"), [(20, 500, 20), (20, 501, 0), (500, 20, 20), (501, 20, 0)]
)
def test_a_key_carried_by_more_than_500_of_a_side_is_none(
    transactions: int, entries: int, matches: int
) -> None:
    ts = [tx(n, "CASH", str(n), day=1 + n % 20) for n in range(1, transactions + 1)]
    es = [entry(n, "CASH", str(n)) for n in range(1, entries + 1)]
    rules = ("reference", "reference_normalised", "reference_differs")
    assert len(joined(ts, es, rules=rules)) == matches


def test_its_other_keys_still_count() -> None:
    entries = [entry(n, "CASH") for n in range(1, 501)] + [entry(501, "CASH", names="tx_1")]
    assert joined([tx(1, "CASH")], entries) == {"transaction_id tx_1 = L501"}


# The rules in force


def test_only_the_rules_in_force_apply() -> None:
    first = ("transaction_id", "reference", "reference_differs")
    records = (
        [tx(1), tx(2, "INV-7"), tx(3, "Z")],
        [entry(1, amount="60"), entry(2, amount="40"), entry(3, "inv 7")],
    )
    assert joined(*records, rules=first) == {"reference_differs tx_1 = L1 L2"}
    assert joined(*records) == {"reference_split tx_1 = L1 L2", "reference_normalised tx_2 = L3"}
