"""The fees of reconcile.toml: what is read of them, and what is refused, in one line that names it."""

import tomllib
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.fees import Fee, likely_fees, read_fees
from reconcile.core.money import Currencies

CARD = '[[fees]]\npayment_method = "CARD"\ncurrency = "INR"\npercent = 2\n'


def read(text: str) -> tuple[Fee, ...]:
    return read_fees(tomllib.loads(text, parse_float=Decimal).get("fees", []), Currencies())


def test_what_a_fee_is_worked_out_from() -> None:
    usual, later = read(
        CARD + "tax = 18\n" + CARD.replace("CARD", " card ") + 'from = 2026-07-01\nfixed = "3.10"\ntax = 18\n'
    )
    assert usual == Fee("CARD", "INR", date.min, percent=Decimal(2), tax=Decimal(18))
    assert (usual.share, usual.fixed_with_tax) == (Decimal("0.0236"), Decimal(0))
    assert later == Fee("card", "INR", date(2026, 7, 1), Decimal(2), Decimal("3.10"), Decimal(18))
    assert later.fixed_with_tax == Decimal("3.658")
    assert (str(usual), str(later)) == ("2 %, and 18 % tax on it", "2 % + 3.10 INR, and 18 % tax on it")
    assert later.name == "card INR from 2026-07-01"


def test_one_table_is_one_fee_and_none_of_a_method_is_that_of_all_others() -> None:
    (fee,) = read('[fees]\ncurrency = "usd"\nfixed = 0.30\n')
    assert (fee.payment_method, fee.currency, str(fee)) == (None, "USD", "0.30 USD")
    assert fee.name == "any other payment method USD"
    assert str(read('[fees]\ncurrency = "INR"\npercent = 0\n')[0]) == "0 %"
    assert read("") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CARD + CARD.replace("CARD", "card"), "number 1 and number 2 are both for card INR"),
        (CARD.replace('currency = "INR"\n', ""), "number 1: currency must be given"),
        (CARD + CARD.replace("INR", "XBT"), "number 2: 'XBT' is not a known currency"),
        (CARD.replace("2", "-2"), "percent -2 is negative"),
        (CARD.replace("2", "236"), "percent 236 is more than 50"),
        (CARD + "tax = 1800\n", "tax 1800 is more than 100"),
        (CARD + "fixed = -1\n", "fixed -1 is negative"),
        (CARD + "fixed = true\n", "fixed 'True' is not a number"),
        (CARD.replace("2", "nan"), "percent 'NaN' is not a number"),
        (CARD.replace("percent = 2", ""), "percent or fixed must be given"),
        (CARD + "percentage = 2\n", "'percentage' is not a known key (known: payment_method, currency"),
        (CARD + 'from = "July"\n', "from must be a day"),
        (CARD + "from = 2026-07-01T00:00:00\n", "from must be a day"),
        (CARD.replace('"CARD"', "7"), "payment_method must be a text"),
        ("fees = 2.36\n", "must be written as [[fees]]"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        read(text)
    assert says in str(error.value)


def differences(method: str | None, *pairs: tuple[str, str], times: int = 5) -> list[tuple[Any, ...]]:
    return [(method, "INR", Decimal(amount), Decimal(less), times) for amount, less in pairs]


def shown(kept: list[tuple[Any, ...]], method: str | None, of: int) -> list[str]:
    return [str(one) for one in likely_fees(kept, {(method, "INR"): of}, Currencies())]


def test_an_agreement_is_read_from_the_differences() -> None:
    # 2.36 % of 333.33 is 7.8666; 21.2 is no such fee.
    card = differences("CARD", ("1000", "23.60"), ("333.33", "7.87"), ("849", "20.04"), ("900", "21.20"))
    assert shown(card, "CARD", 30) == [
        "the ledger is 2.36 % below KS Pay in 15 of 30 CARD matches in INR: if these are fees, write [[fees]] into "
        'reconcile.toml, with payment_method = "CARD", currency = "INR", percent = 2.36'
    ]
    assert shown(list(reversed(card)), "CARD", 30) == shown(card, "CARD", 30)
    assert shown(card, "CARD", 31) == []  # less than half
    assert shown(card[:1], "CARD", 5) == []  # too few
    fixed = differences(None, ("1000", "5.00"), ("500", "5"), ("400", "5.0"))
    assert shown(fixed, None, 16) == [
        "the ledger is 5 INR below KS Pay in 15 of 16 matches in INR: if these are fees, write [[fees]] into "
        'reconcile.toml, with currency = "INR", fixed = 5'
    ]


def test_a_percentage_with_a_fixed_amount_is_read_from_them_too() -> None:
    amounts = [100, 250, 333, 480, 777, 1000, 1234, 2500, 4999, 20000]
    both = [(amount, 2 * amount / 100 + 3) for amount in map(Decimal, amounts)]
    exact = differences("CARD", *((str(amount), f"{fee:.2f}") for amount, fee in both), times=2)
    noise = differences("CARD", ("150", "7"), ("600", "19.99"), ("8000", "1.00"), times=1)
    says = [
        "the ledger is 2 % + 3 INR below KS Pay in 20 of 40 CARD matches in INR: if these are fees, write [[fees]] "
        'into reconcile.toml, with payment_method = "CARD", currency = "INR", percent = 2, fixed = 3'
    ]
    assert shown(exact + noise, "CARD", 40) == says
    assert shown(noise[::-1] + exact[::-1], "CARD", 40) == says
    assert shown(exact + noise, "CARD", 41) == []
    (found,) = likely_fees(exact, {("CARD", "INR"): 20}, Currencies())
    (fee,) = read("[[fees]]\n" + str(found).partition("with ")[2].replace(", ", "\n"))
    assert (fee.percent, fee.fixed) == (Decimal(2), Decimal(3))


@given(
    st.integers(1, 600),
    st.integers(1, 2000),
    st.lists(st.integers(2_001, 4_999_999), min_size=30, max_size=90, unique=True),
)
def test_fees_of_any_percentage_and_fixed_amount_are_found(rate: int, fixed: int, amounts: list[int]) -> None:
    """Both explain every payment, although each fee is rounded to a paisa; one alone is told that does nearly so."""
    kept = [
        (
            "CARD",
            "INR",
            Decimal(amount) / 100,
            Decimal((2 * amount * rate + 10_000) // 20_000 + fixed) / 100,
            1,
        )
        for amount in [2_000, *amounts, 5_000_000]
    ]
    (found,) = likely_fees(kept, {("CARD", "INR"): len(kept)}, Currencies())
    assert 11 * found.matches > 10 * len(kept)
    fee = Fee("CARD", "INR", date.min, found.percent or Decimal(0), found.fixed or Decimal(0))
    fees = [
        (amount * fee.share + fee.fixed_with_tax).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for _, _, amount, _, _ in kept
    ]
    explained = sum(fee == less for fee, (_, _, _, less, _) in zip(fees, kept, strict=True))
    assert explained == found.matches
    if found.percent and found.fixed:
        assert (int(100 * found.percent), int(100 * found.fixed), explained) == (rate, fixed, len(kept))


def test_what_it_proposes_can_be_pasted() -> None:
    (found,) = likely_fees(differences("UPI", ("1000", "5"), times=20), {("UPI", "INR"): 20}, Currencies())
    (fee,) = read("[[fees]]\n" + str(found).partition("with ")[2].replace(", ", "\n"))
    assert (fee.payment_method, fee.currency, fee.percent) == ("UPI", "INR", Decimal("0.5"))


def test_it_proposes_nothing_that_the_settings_refuse() -> None:
    # A fee of more than half is taken for a mistake.
    assert shown(differences("UPI", ("1000", "600"), ("500", "300"), ("300", "180")), "UPI", 15) == []
    (half,) = likely_fees(differences("UPI", ("1000", "500"), times=20), {("UPI", "INR"): 20}, Currencies())
    assert half.percent == 50
    quoted = 'card "gold" \\ 1'
    (found,) = likely_fees(differences(quoted, ("1000", "5"), times=20), {(quoted, "INR"): 20}, Currencies())
    (fee,) = read("[[fees]]\n" + str(found).partition("with ")[2].replace(", ", "\n"))
    assert fee.payment_method == quoted
