"""How dates and amounts are written: proven by a column, read back exactly, never guessed."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.core.money import Currencies
from reconcile.ledger.amounts import AmountScan, AmountStyle, clean

CODES = Currencies().digits


def group(digits: str, mark: str, style: str) -> str:
    """Digits parted by a mark: `west` in threes, `india` by one three and then twos."""
    parts = [digits[-3:]]
    rest, size = digits[:-3], 3 if style == "west" else 2
    while rest:
        parts.insert(0, rest[-size:])
        rest = rest[:-size]
    return mark.join(parts)


@given(
    whole=st.integers(0, 10**24),
    cents=st.integers(0, 99),
    marks=st.sampled_from([(".", ","), (",", "."), (".", " "), (",", "\u202f"), (".", "'"), (".", "")]),
    grouping=st.sampled_from(["west", "india"]),
    dress=st.sampled_from(
        ["{}", "₹ {}", "{} €", "INR {}", "Rs.{}", "({})", "{}-", "-{}", "\u2212{}", "(₹{})", " {} "]
    ),
)
@settings(deadline=None)
def test_an_amount_with_decimals_is_read_back_in_every_dress(
    whole: int, cents: int, marks: tuple[str, str], grouping: str, dress: str
) -> None:
    decimal, thousands = marks
    digits = group(str(whole), thousands, grouping) if thousands else str(whole)
    text = dress.format(f"{digits}{decimal}{cents:02}")
    value = Decimal(whole) + Decimal(cents) / 100
    negative = any(mark in dress for mark in ("(", "-", "\u2212"))
    assert AmountStyle().read(clean(text), CODES, None).value == (-value if negative else value)


@pytest.mark.parametrize(
    ("proof", "value"),
    [("12.50", 1250), ("12,50", Decimal("1.25")), ("1.250,00", Decimal("1.25")), ("0,5", Decimal("1.25"))],
)
def test_the_column_decides_on_an_amount_that_may_be_two(proof: str, value: Decimal) -> None:
    scan = AmountScan(CODES)
    for row, text in enumerate(("1,250", proof, "7"), 2):
        scan.add(row, text, "INR")
    column = scan.column()
    assert (column.unclear, list(column.proof.values())) == (0, [(3, proof)])
    assert column.style.read("1,250", CODES, "INR").value == value


def test_a_point_before_three_digits_is_clear_in_a_currency_that_has_so_many() -> None:
    assert AmountStyle().read("1.250", CODES, "KWD").value == Decimal("1.25")
    assert AmountStyle().read("1.250", CODES, "JPY").value == 1250, "no yen has decimals"
    for currency in ("INR", None):
        with pytest.raises(ValueError, match="for thousands or for decimals"):
            AmountStyle().read("1.250", CODES, currency)


@pytest.mark.parametrize(
    ("style", "text", "value"),
    [
        (AmountStyle(".", ",", from_profile=True), "1,250", "1250"),
        (AmountStyle(",", None, from_profile=True), "1.250", "1250"),
        (AmountStyle(",", " ", from_profile=True), "1\xa0250,5", "1250.5"),
        (AmountStyle(".", "", from_profile=True), "1,250", None),
        (AmountStyle(".", ",", from_profile=True), "1.250,00", None),
        (AmountStyle(",", ".", from_profile=True), "12.50", None),
    ],
)
def test_what_a_profile_says_is_not_doubted(style: AmountStyle, text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="is not a number with"):
            style.read(clean(text), CODES, "INR")
    else:
        assert style.read(clean(text), CODES, "INR").value == Decimal(value)
