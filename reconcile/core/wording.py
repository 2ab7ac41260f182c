"""Writes days, counts, amounts and texts for people, in reports, messages and the page."""

from datetime import date
from decimal import Decimal

from reconcile.core.money import Currencies, grouped

MAX_CELL_LENGTH = 250
"""Characters of text in a cell: a text inside a formula may have at most 255."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


MASK = "***"
"""What is shown instead of a secret."""


def day(value: date | None) -> str:
    """`3 Aug 2026`, whatever the locale, so that the same data gives the same bytes."""
    return "an unknown day" if value is None else f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def amount_text(amount: Decimal, currency: str | None, currencies: Currencies) -> str:
    """`1,250.00 INR`: grouped, for reading. Rupees in lakhs and crores, as in `12,34,567.00 INR`."""
    if currency is None or currency not in currencies.digits:
        return (
            f"{amount:f} {currency or ''}".strip()
        )  # several currencies: the parts are in the other columns
    return f"{grouped(currencies.format(amount, currency), currency)} {currency}"


def days(number: int) -> str:
    """`1 day`, `2 days`."""
    return f"{number} day{'' if number == 1 else 's'}"


def counted(number: int, what: str, several: str = "") -> str:
    """`1 row`, `2,000 rows`; `several` is the plural, if it is not `what` with an s."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def percent(thousandths: int) -> str:
    """`99.4 %`, with a space that does not break."""
    return f"{thousandths // 10}.{thousandths % 10}\N{NO-BREAK SPACE}%"


def one_line(text: str) -> str:
    """A text of any origin on one line: what cannot be printed counts as a space, and one space divides words."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def words(name: str) -> str:
    """`MISSING_IN_KSPAY` is Missing in KS Pay."""
    plain = name.replace("_", " ").lower().replace("kspay", "KS Pay")
    return plain[:1].upper() + plain[1:]
