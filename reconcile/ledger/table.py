"""Tables: the common form of every ledger format, and the values that a cell can have.

A text file has only texts; a workbook, a Parquet file and a database also have numbers and dates.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol

SIGNIFICANT_DIGITS = 15
"""Decimal digits that a 64-bit binary number always keeps, and the most that spreadsheets show."""

_SURE_DIGITS = 13
"""Binary noise (0.1 + 0.2) comes after the 15th digit. A number that differs from its first 15 digits is read as these
only if the last two of them are zeros; else it may have lost digits."""


@dataclass(frozen=True, slots=True)
class UnreadableCell:
    """A cell that must not be used: an error of a formula, or a number that lost digits."""

    shown: str
    """The text that the cell shows."""
    reason: str
    """What is wrong and what to do; the name of the column comes before it."""

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class Formatted:
    """A number of a workbook whose cell shows more than the number: `250.00 Cr`, `€ 12.50`, `INV-0045`."""

    value: Decimal
    shown: str
    """As the cell shows it."""
    dress: str
    """What stands around the number, with a 1 in its place; "" where the number stands alone."""
    own_section: bool
    """Whether the format has a section of its own for negative numbers, and this is one: its minus is the number's."""

    def __str__(self) -> str:
        return self.shown


MERGED = UnreadableCell("", "is covered by merged cells: split them, and fill in every row")


class Spanned(str):
    """The text of a cell that merged cells cover: the text of the first of them. It is never read as an amount, which
    would count several times."""

    __slots__ = ()


Cell = str | Decimal | date | UnreadableCell | Formatted
"""A blank cell is an empty text; a `datetime`, which is a `date` too, has a zone only where its source has one."""

_APOSTROPHES = "'\u2018\u2019\u02bc\uff07"
_JOINERS = "\u200c\u200d"
"""They shape the letters of Indian scripts: inside a word they stay."""
_EDGES = re.compile(rf"^[\s{_APOSTROPHES}{_JOINERS}]|[\s{_APOSTROPHES}{_JOINERS}]$")
_NULLS = frozenset(("null", "\\n", "<null>", "(null)", "nan", "<na>", "nat"))
"""What databases and pandas write for no value, in small letters."""

_SHORTENED = re.compile(r"[+-]?(?:\d+[eE]\+\d{1,3}|\d[.,]\d+[eE][+-]?\d{1,3})", re.ASCII)
_ERROR = re.compile(r"#{3,}|#(?:N/A|REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!)", re.ASCII)


def visible(text: str) -> str:
    """A text without invisible characters. The two joiners stay: inside a word they count."""
    if text.isascii():
        return text
    return "".join(letter for letter in text if letter in _JOINERS or unicodedata.category(letter) != "Cf")


def tidy(text: str) -> str:
    """What a cell says: without blanks and apostrophes around it and without invisible characters; "" for NULL."""
    text = visible(text)
    while _EDGES.search(text):
        bare = text.strip().strip(_JOINERS)
        inner = bare[1:] if bare[:1] in tuple(_APOSTROPHES) else bare
        if inner is not bare and inner[-1:] in tuple(_APOSTROPHES):
            inner = inner[:-1]
        if inner == text:
            break  # an apostrophe at the end alone belongs to the text: 5'
        text = inner
    return "" if text.casefold() in _NULLS else text


def lost_digits(text: str) -> str:
    """Why a spreadsheet no longer shows what was in this cell: it shortened a number (9.87655E+11), or shows an error
    or too narrow a column (########). "" if it does."""
    if text[:1] == "#":
        return _LOST if _ERROR.fullmatch(text) else ""
    return _CUT if _SHORTENED.fullmatch(text) else ""


_CUT = "was shortened by a spreadsheet, and its digits are lost: format the column as text before the file is saved"
_LOST = "is what a spreadsheet shows for an error or in too narrow a column: correct it there, and save the file again"


def twice_decoded(text: str) -> str | None:
    """The text that this one was before its bytes were decoded in a wrong encoding; None if it does not look so."""
    if text.isascii():
        return None
    for tail in ("", "\xa0"):  # a fixed space at its end may have been taken for a blank
        try:
            once = (text + tail).encode("cp1252").decode("utf-8")
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        if len(once) < len(text + tail) and not _ACCENT_AND_SPACE.search(text + tail):
            return once
    return None


_ACCENT_AND_SPACE = re.compile("(?:[\xc4\xc6-\xdf]|[A-Z]\xc3|\xc5(?=\xa0$))\xa0")
"""`JOSÉ` and `MANHÃ` before a fixed space: nobody wrote the letters that would have become these. But `99.00Â` had such
a space alone, `cittÃ` was `città`, and what begins with `Å` and such a space began with `Š`."""


class BrokenRecord(NamedTuple):
    """A record that cannot be cut into cells."""

    line: str
    """The line on which it begins."""
    reason: str


Record = tuple[int, Sequence[Cell] | BrokenRecord]
"""The number of a row as a spreadsheet shows it (the first is 1), and its cells."""


class Table(Protocol):
    """A file or a query; its records can be read any number of times."""

    @property
    def kind(self) -> str:
        """What it is, for people: `CSV, semicolon, UTF-8`."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, in hexadecimal digits; of a query only after all records were read."""

    def records(self) -> Iterator[Record]:
        """All records with their numbers. Raises InputRefused if the content changed since it was opened."""


def exact(number: float) -> Decimal | UnreadableCell:
    """The decimal that a spreadsheet shows for a binary number: 0.30000000000000004 is 0.3.

    A number with more digits than a binary number keeps (15) may have lost some, so it is not read.
    """
    written = repr(number)  # the shortest text that reads back as this number
    if len(written) <= SIGNIFICANT_DIGITS and written[-1].isdigit() and "e" not in written:
        return Decimal(written.removesuffix(".0"))
    short = f"{number:.{SIGNIFICANT_DIGITS}g}"
    value = Decimal(short)
    if not value.is_finite():
        return UnreadableCell(str(number), "is not a number")
    lost = value.adjusted() >= SIGNIFICANT_DIGITS
    if not lost and float(short) != number:
        lost = len(value.normalize().as_tuple().digits) > _SURE_DIGITS
    if lost:
        return UnreadableCell(
            repr(number),
            "has more than 15 digits, which a binary number cannot keep: export the column as text or decimal",
        )
    return value


def number_text(number: Decimal) -> str:
    """A number that stands in a column of texts, as people write it: 1001, not 1001.0 or 1E+3."""
    return f"{number.to_integral_value():f}" if number == number.to_integral_value() else f"{number:f}"
