"""Fields of a raw record, read one by one: texts, amounts, times. What is wrong with one is noted as a problem."""

import re
from datetime import datetime
from decimal import Decimal

from reconcile.core.money import Currencies, decimals
from reconcile.core.rejections import Problem
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR, parse_iso
from reconcile.ledger.table import UnreadableCell

MAX_KEY = 500
"""Characters of an id or a reference. Longer ones are mistakes, and would not fit into an index of
Postgres (2,704 bytes an entry; a character takes up to 4)."""

MAX_TEXT = 10_000
"""Characters of a status or a description."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def text_of(name: str, value: object, limit: int, problems: list[Problem]) -> str | None:
    """The text as it stands; None where there is none, or where a problem was noted."""
    if value is None or value == "":
        return None
    if type(value) is str and len(value) <= limit and value.isascii() and "\0" not in value:
        return value if not value.isspace() else None  # nearly every text, and this is where the time goes
    if isinstance(value, UnreadableCell):
        problems.append((name, value.shown, value.reason))
    elif not isinstance(value, str):
        problems.append((name, value, "is not a text"))
    elif len(value) > limit:
        problems.append((name, value, f"has {len(value)} characters, but at most {limit} are allowed"))
    elif _UNSTORABLE.search(value):
        problems.append(
            (name, value, "holds a character that cannot be stored (a NUL, or a byte of another encoding)")
        )
    elif value.strip():
        return value
    return None


def names(problems: list[Problem], field: str) -> bool:
    return any(problem[0] == field for problem in problems)


def sure_amount(amount: Decimal | None, currency: str, currencies: Currencies) -> Decimal | None:
    """The amount of a record that cannot be used, where it was read and its currency can hold it."""
    digits = currencies.digits.get(currency)
    return None if amount is None or digits is None or decimals(amount) > digits else amount


def instant(name: str, value: object, problems: list[Problem]) -> datetime | None:
    """An ISO 8601 time with its zone, in UTC; digits beyond the microsecond are cut off. None stays None."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            at = _usual_instant(value) or parse_iso(value)[1]
        except ValueError as error:
            problems.append((name, value, str(error)))
            return None
        if at is not None:
            return at
        problems.append((name, value, "must be a time with its time zone, such as 2026-08-31T18:30:00Z"))
        return None
    problems.append((name, value, "is not a text: it must be a time such as 2026-08-31T18:30:00Z"))
    return None


def _usual_instant(text: str) -> datetime | None:
    """The form that KS Pay uses, `2024-08-26T05:24:17.425Z`, four times as fast as any form is read."""
    if len(text) != 24 or text[4:20:3] != "--T::." or text[23] != "Z":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if FIRST_YEAR <= at.year <= LAST_YEAR else None
