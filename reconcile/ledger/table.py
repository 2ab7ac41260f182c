"""What a cell of any kind of file can be, and what a binary number in it is worth.

A file of text has only texts; a workbook, a Parquet file and a database also have real numbers and dates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

SIGNIFICANT_DIGITS = 15
"""Decimal digits that a binary number of 64 bits always keeps, and the most that spreadsheets show."""

_SURE_DIGITS = 13
"""Binary noise (0.1 + 0.2) stands behind the 15th digit. A number that is not exactly its first 15 digits is taken
for these only where the last two of them are zeros; else it may have had more digits than it could keep."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose content must not be used: an error of a formula, a number that lost digits."""

    shown: str
    """What stands there."""
    reason: str
    """What is wrong with it and what to do, after the name of its column."""

    def __str__(self) -> str:
        return self.shown


Cell = str | Decimal | date | Unreadable
"""A blank cell is an empty text; a `datetime`, which is a `date` too, has a zone only where its source has one."""


class Broken(NamedTuple):
    """A record that cannot be cut into cells."""

    line: str
    """The line that it begins on."""
    reason: str


Record = tuple[int, Sequence[Cell] | Broken]
"""The number of a row, counted as a spreadsheet shows it, and its cells."""


class Table(Protocol):
    """A file or a query that yields records, as often as it is asked."""

    @property
    def kind(self) -> str:
        """What it is, as people say it: `CSV, semicolon, UTF-8`."""

    @property
    def sha256(self) -> str:
        """Of its content, in hexadecimal digits; of a query, once its records were read to the end."""

    def records(self) -> Iterator[Record]:
        """All records with their numbers; raises InputRefused if it is no longer what was opened."""


def exact(number: float) -> Decimal | Unreadable:
    """The decimal that a spreadsheet shows for a binary number: 0.30000000000000004 is 0.3.

    A number that needs more than the 15 digits which it can hold has lost some, and is not guessed.
    """
    written = repr(number)  # the shortest text of this very number
    if len(written) <= SIGNIFICANT_DIGITS and written[-1].isdigit() and "e" not in written:
        return Decimal(written.removesuffix(".0"))
    short = f"{number:.{SIGNIFICANT_DIGITS}g}"
    value = Decimal(short)
    if not value.is_finite():
        return Unreadable(str(number), "is not a number")
    lost = value.adjusted() >= SIGNIFICANT_DIGITS
    if not lost and float(short) != number:
        lost = len(value.normalize().as_tuple().digits) > _SURE_DIGITS
    if lost:
        return Unreadable(
            repr(number),
            "has more digits than a binary number keeps (15): give the column as text or decimal",
        )
    return value


def plain(number: Decimal) -> str:
    """A number in a column of texts, as people write it: 1001, not 1001.0 or 1E+3."""
    return f"{number.to_integral_value():f}" if number == number.to_integral_value() else f"{number:f}"
