"""How dates and amounts are written: proven by a column, read back exactly, never guessed."""

from collections import Counter
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.core.money import Currencies
from reconcile.ledger.amounts import AmountScan, AmountStyle, clean
from reconcile.ledger.dates import DateStyle, decide
from reconcile.ledger.table import Unreadable, exact

CODES = Currencies().digits
FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d/%m/%Y 23:59:59",
    "%m/%d/%Y 11:05 PM",
)


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
        scan.see(row, text, "INR")
    column = scan.column()
    assert (column.unclear, list(column.proof.values())) == (0, [(3, proof)])
    assert column.style.read("1,250", CODES, "INR").value == value


def test_a_point_before_three_digits_is_clear_in_a_currency_that_has_so_many() -> None:
    assert AmountStyle().read("1.250", CODES, "KWD").value == Decimal("1.25")
    for currency in ("INR", "JPY", None):
        with pytest.raises(ValueError, match="for thousands or for decimals"):
            AmountStyle().read("1.250", CODES, currency)


@pytest.mark.parametrize(
    ("style", "text", "value"),
    [
        (AmountStyle(".", ",", told=True), "1,250", "1250"),
        (AmountStyle(",", None, told=True), "1.250", "1250"),
        (AmountStyle(",", " ", told=True), "1\xa0250,5", "1250.5"),
        (AmountStyle(".", "", told=True), "1,250", None),
        (AmountStyle(".", ",", told=True), "1.250,00", None),
        (AmountStyle(",", ".", told=True), "12.50", None),
    ],
)
def test_what_a_profile_says_is_not_doubted(style: AmountStyle, text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(ValueError, match="is not a number with"):
            style.read(clean(text), CODES, "INR")
    else:
        assert style.read(clean(text), CODES, "INR").value == Decimal(value)


@given(
    days=st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=30),
    pattern=st.sampled_from(FORMATS),
)
@settings(deadline=None)
def test_a_column_of_dates_is_read_back_or_not_at_all(days: list[date], pattern: str) -> None:
    texts = [day.strftime(pattern) for day in days]
    column = decide(Counter(texts))
    for day, text in zip(days, texts, strict=True):
        if text in column.unclear:
            with pytest.raises(ValueError, match="may be"):
                column.style.read(text)
        else:
            assert column.style.read(text) == (day, None)


@given(
    days=st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=9),
    pattern=st.sampled_from(FORMATS),
)
@settings(deadline=None)
def test_one_day_after_the_twelfth_decides_for_all(days: list[date], pattern: str) -> None:
    days = [*days, date(2026, 8, 13), date(2026, 8, 28)]
    column = decide(Counter(day.strftime(pattern) for day in days))
    assert not column.unclear
    assert [column.style.read(day.strftime(pattern))[0] for day in days] == days


def test_a_format_of_the_profile_reads_times_of_day_and_iso_too() -> None:
    style = DateStyle(format="%d/%m/%Y")
    for text in ("03/04/2026", "03/04/2026 23:10", "2026-04-03"):
        assert style.read(text) == (date(2026, 4, 3), None)
    with pytest.raises(ValueError, match="does not fit"):
        style.read("04/13/2026")


@given(st.decimals(-(10**12), 10**12, places=2))
def test_a_number_cell_is_the_decimal_that_the_sheet_shows(value: Decimal) -> None:
    assert exact(float(value)) == value


@pytest.mark.parametrize("number", [1e15, 12345678901234.567, 1e300, float("nan"), float("inf"), 2.0**60])
def test_a_number_cell_that_lost_digits_is_not_read(number: float) -> None:
    assert isinstance(exact(number), Unreadable)


def test_binary_noise_is_no_digit() -> None:
    assert exact(0.1 + 0.2) == Decimal("0.3")
    assert exact(reduce(add, [0.1] * 1000)) == Decimal("99.9999999999986"), (
        "too many decimals: quarantined, not rounded"
    )
