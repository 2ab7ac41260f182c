"""Counts and sums by group, over frames of the results.

The columns of a frame are objects: an amount stays the decimal that it is, and no sum is rounded.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pandas import DataFrame

from reconcile.core.money import exact_sum


class Total(NamedTuple):
    """Of one group, the number of its rows and the sum of their amounts; a row may have no amount."""

    number: int
    amount: Decimal


def frame_of(rows: Iterable[Sequence[Any]], *columns: str) -> DataFrame:
    """The rows as a frame with these columns; one is `amount`."""
    return DataFrame(list(rows), columns=[*columns], dtype="object")


def totals(frame: DataFrame, *keys: str) -> Mapping[Any, Total]:
    """By the values of one column, or of several, in the order of their first rows."""
    groups = frame.groupby([*keys] if len(keys) > 1 else keys[0], sort=False)["amount"]
    return {key: Total(len(amounts), exact_sum(amounts.dropna())) for key, amounts in groups}
