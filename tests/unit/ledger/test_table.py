"""A number cell is the decimal that the sheet shows, or is not read."""

from decimal import Decimal
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.ledger.table import UnreadableCell, exact


@given(st.decimals(-(10**12), 10**12, places=2))
def test_a_number_cell_is_the_decimal_that_the_sheet_shows(value: Decimal) -> None:
    assert exact(float(value)) == value


@pytest.mark.parametrize("number", [1e15, 12345678901234.567, 1e300, float("nan"), float("inf"), 2.0**60])
def test_a_number_cell_that_lost_digits_is_not_read(number: float) -> None:
    assert isinstance(exact(number), UnreadableCell)


def test_binary_noise_is_no_digit() -> None:
    assert exact(0.1 + 0.2) == Decimal("0.3")
    assert exact(reduce(add, [0.1] * 1000)) == Decimal("99.9999999999986"), (
        "too many decimals: quarantined, not rounded"
    )
