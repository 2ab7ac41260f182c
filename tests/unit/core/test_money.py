"""Amounts: exact from text to text, whatever their size."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.core.errors import UsageError
from reconcile.core.money import (
    MAX_DECIMALS,
    MAX_INTEGER_DIGITS,
    Currencies,
    Tolerance,
    Tolerances,
    decimals,
    parse_amount,
)

CURRENCIES = Currencies()

amounts = st.decimals(
    min_value=Decimal(-10) ** 29, max_value=Decimal(10) ** 29, allow_nan=False, allow_infinity=False, places=8
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("11", "11"),
        ("345.67", "345.67"),
        (" 1250.00 ", "1250.00"),
        ("+5", "5"),
        ("-3.50", "-3.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1e3", "1000"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("9" * MAX_INTEGER_DIGITS, "9" * MAX_INTEGER_DIGITS),
        ("0." + "0" * (MAX_DECIMALS - 1) + "1", "0." + "0" * (MAX_DECIMALS - 1) + "1"),
        ("-0.00", "0"),
        ("0e999999", "0"),
        ("0" * 5000 + "1", "1"),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, value: str) -> None:
    assert parse_amount(text) == Decimal(value)
    assert not parse_amount("-0.00").is_signed()


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "-", "--1", "1_0", "NaN", "sNaN", "Infinity", "-inf", "1,250.00", "1.250,00", "1.2.3", "0x10",
        "₹100", "100 INR", "(100)", "100-", "−100", "١٠٠", "１００", "½", "1 250", "1\n2", "1\0", "1e", "1e9999999",
        "1e30", "1e-31", "9" * (MAX_INTEGER_DIGITS + 1), "1e999999", "1e-999999", "0." + "0" * MAX_DECIMALS + "1",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number|has more than"):
        parse_amount(text)


@given(amounts)
def test_an_amount_survives_being_written_and_read(value: Decimal) -> None:
    assert parse_amount(f"{value:f}") == value
    assert parse_amount(str(value)) == value


@given(amounts, st.sampled_from(sorted(CURRENCIES.digits)))
def test_formatting_loses_nothing_and_never_rounds(value: Decimal, currency: str) -> None:
    digits = CURRENCIES.digits[currency]
    if decimals(value) > digits:
        with pytest.raises(UsageError, match=rf"{currency} has {digits} decimals.*\[currencies\]"):
            CURRENCIES.format(value, currency)
    else:
        text = CURRENCIES.format(value, currency)
        assert parse_amount(text) == value
        assert len(text.partition(".")[2]) == digits
        assert "e" not in text.lower()


@given(amounts)
def test_an_amount_of_no_known_currency_keeps_every_digit(value: Decimal) -> None:
    for currency in (None, "", "XXQ"):
        assert Decimal(CURRENCIES.written(value, currency)) == value
    with pytest.raises(UsageError, match=r"XXQ is not a known currency.*\[currencies\]"):
        CURRENCIES.format(value, "XXQ")


@given(amounts)
def test_decimals_are_the_fewest_that_hold_the_value(value: Decimal) -> None:
    needed = decimals(value)
    assert Decimal(f"{value:.{needed}f}") == value
    assert needed == 0 or Decimal(f"{value:.{needed - 1}f}") != value


def test_the_largest_amount_can_be_written_in_every_currency() -> None:
    largest = parse_amount("9" * MAX_INTEGER_DIGITS)
    for currency in CURRENCIES.digits:
        assert parse_amount(CURRENCIES.format(largest, currency)) == largest


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("INR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("MGA", 2), ("RSD", 2)],
)
def test_minor_units_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert CURRENCIES.digits[currency] == digits


def test_a_currency_without_a_minor_unit_is_not_known() -> None:
    assert "XAU" not in CURRENCIES.digits
    assert "USDT" not in CURRENCIES.digits


def test_the_merchants_own_table_has_what_iso_4217_lacks() -> None:
    currencies = Currencies.with_extra({"USDT": 6, "XAU": 4, "INR": 2})
    assert currencies.format(Decimal("1.5"), "USDT") == "1.500000"
    assert currencies.format(Decimal("1.5"), "XAU") == "1.5000"  # metals have no decimals in ISO 4217
    assert currencies.digits == {**CURRENCIES.digits, "USDT": 6, "XAU": 4}
    with pytest.raises(ValueError, match="INR has 2 decimals by ISO 4217 and cannot have 3"):
        Currencies.with_extra({"USDT": 6, "INR": 3})


@pytest.mark.parametrize(
    ("text", "currency", "tolerance"),
    [
        ("0", "INR", Tolerance()),
        ("1.50", "INR", Tolerance(fixed=Decimal("1.50"))),
        ("0.5%", "INR", Tolerance(percent=Decimal("0.5"))),
        ("INR=1, kwd=0.01", "KWD", Tolerance(fixed=Decimal("0.01"))),
        ("INR=2%", "INR", Tolerance(percent=Decimal(2))),
    ],
)
def test_tolerances_are_read(text: str, currency: str, tolerance: Tolerance) -> None:
    found = Tolerances.parse(text, CURRENCIES)
    assert found.named.get(currency, found.default) == tolerance


@pytest.mark.parametrize("text", ["", "x", "-1", "-0.5%", "INR=", "XXQ=1", "INR=1,INR=2", "=1", "INR=1,"])
def test_impossible_tolerances_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Tolerances.parse(text, CURRENCIES)
