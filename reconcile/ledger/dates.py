"""Dates as ledgers write them.

A text that can be only one day is that day. `03/04/2026` may be two days: other dates of the column decide the order
of day and month, and if they do not, the date is not read.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""A date outside these years is taken for a mistake."""

ORDERS: Mapping[str, str] = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year/month/day"}
"""The orders of day, month and year, with their names in messages."""

MOST_YEARS = 10
"""No column spans more years than this. With two-digit years this helps to find the order."""

ISO_DAY = r"\d{4}-\d{2}-\d{2}"
"""Nearly every date is written like this, and can be only one day."""

_ISO = re.compile(
    r"(\d{4})-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,30})?)?( ?(?:Z|[+-]\d{2}(?::?\d{2})?))?)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?:T| |, ?)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,30})?)?(?: ?([AaPp])\.?[Mm]\.?)?", re.ASCII
)
_NUMBERS = re.compile(r"(\d{1,2})([/.\- ])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[-/. ]?([a-z]{3,9})[-/., ]{1,2}(\d{4}|\d{2})", re.ASCII)
_MONTH_DAY = re.compile(r"([a-z]{3,9})\.?[- ](\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", re.ASCII)
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
_SERIAL = re.compile(r"[1-9]\d{4}(?:\.\d+)?", re.ASCII)

_ADVICE = "write it as YYYY-MM-DD"


def parse_iso(text: str) -> tuple[date, datetime | None]:
    """A day as ISO 8601 writes it and, where time and zone are written too, the instant in UTC.

    Raises ValueError, worded for a quarantine reason."""
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"is not an ISO 8601 date: {_ADVICE}")
    _check_year(int(found[1]))
    try:
        if len(text) == len("2026-08-01"):
            return date.fromisoformat(text), None
        # Python drops decimals of a second after the sixth; it does not round.
        at = datetime.fromisoformat(
            text.upper().replace(",", ".").replace(" Z", "Z").replace(" +", "+").replace(" -", "-")
        )
    except ValueError:
        raise ValueError("is no day or time that exists") from None
    return at.date(), at.astimezone(UTC) if found[2] else None


@dataclass(frozen=True)
class DateStyle:
    """How the dates of one column are written."""

    format: str | None = None
    """The profile's format for strptime; ISO 8601 is always understood too."""
    orders: Mapping[str, str | None] = field(default_factory=dict)
    """By shape (`shape_of`), the key of ORDERS that the column proves; None if it proves none."""

    def read(self, text: str) -> tuple[date, datetime | None]:
        """The day, and the instant in UTC where a zone is written.

        Raises ValueError, worded for a quarantine reason."""
        if self.format is not None:
            return _formatted(text, self.format)
        if _ISO.fullmatch(text):
            return parse_iso(text)
        days = _days(_without_clock(text))
        different = set(days.values())
        if len(different) == 1:
            return different.pop(), None
        order = self.orders.get(shape_of(text))
        if order is None:
            shown = " or ".join(f"{day:%-d %B %Y}" for day in sorted(different))
            raise ValueError(f"may be {shown}: give the ledger's profile a date_format, or {_ADVICE}")
        if order not in days:
            raise ValueError(f"is no day that exists, read as {ORDERS[order]}")
        return days[order], None


def shape_of(text: str) -> str:
    """The shape of a date whose order is not clear: separators and digits of the year, as in `//4`. Else ""."""
    found = _NUMBERS.fullmatch(_without_clock(text))
    return f"{found[2]}{found[2]}{len(found[4])}" if found else ""


def formats(text: str) -> list[str]:
    """The profile's `date_format` for each order in which the numbers of this text make a day."""
    shape = shape_of(text)
    letters = {"d": "%d", "m": "%m", "y": "%Y" if shape.endswith("4") else "%y"}
    return [shape[:1].join(letters[letter] for letter in order) for order in _days(_without_clock(text))]


@dataclass(frozen=True, slots=True)
class DateColumn:
    """How all dates of a column are written."""

    style: DateStyle
    unclear: Mapping[str, int]
    """Dates that cannot be read without a guess, with the number of rows that have them."""
    proof: Mapping[str, str]
    """By shape, a date that is possible only in the order found; "" if every order gives the same days."""


def decide(texts: Counter[str]) -> DateColumn:
    """Find the order of day, month and year for every shape. `texts` has the number of rows of each date."""
    by_shape: dict[str, dict[str, Mapping[str, date]]] = {}
    for text in texts:
        shape = shape_of(text)
        if shape:
            try:
                by_shape.setdefault(shape, {})[text] = _days(_without_clock(text))
            except ValueError:
                continue  # no day in any order proves none; normalise will say what is wrong with it
    orders: dict[str, str | None] = {}
    proof: dict[str, str] = {}
    unclear: dict[str, int] = {}
    for shape, readings in by_shape.items():
        possible = [order for order in ORDERS if _fits(order, shape, readings.values())]
        same = all(len(set(days.values())) == 1 for days in readings.values())
        orders[shape] = possible[0] if len(possible) == 1 or (possible and same) else None
        if orders[shape] is None:
            unclear |= {text: texts[text] for text, days in readings.items() if len(set(days.values())) > 1}
        else:
            proof[shape] = min((text for text, days in readings.items() if len(days) == 1), default="")
    return DateColumn(DateStyle(orders=orders), unclear, proof)


def _fits(order: str, shape: str, readings: Iterable[Mapping[str, date]]) -> bool:
    days = [found.get(order) for found in readings]
    there = [day for day in days if day is not None]
    if len(there) < len(days) or not there:
        return False
    return not shape.endswith("2") or max(there).year - min(there).year <= MOST_YEARS


def may_be_serial(text: str) -> bool:
    """Whether a text looks like a spreadsheet's serial number of a day (46235 is 2026-08-01)."""
    return _SERIAL.fullmatch(text) is not None


def clean(text: str) -> str:
    """A date's text without white space around it, and with ordinary spaces within."""
    return text.replace("\xa0", " ").replace("\u202f", " ").strip()


@lru_cache(maxsize=4096)
def _formatted(text: str, pattern: str) -> tuple[date, datetime | None]:
    at = _parsed(text, pattern) or _parsed(_without_clock(text), pattern)
    if at is not None:
        _check_year(at.year)
        return at.date(), None if at.tzinfo is None else at.astimezone(UTC)
    if _ISO.fullmatch(text):
        return parse_iso(text)
    raise ValueError(f"does not fit the profile's date_format {pattern}, nor ISO 8601 (YYYY-MM-DD)")


def _parsed(text: str, pattern: str) -> datetime | None:
    if not text.isascii():  # strptime also takes digits of other scripts
        return None
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - the day counts as written, whatever the zone
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _days(text: str) -> Mapping[str, date]:
    """The days that a text without a time of day may be, by order (a key of ORDERS).

    Raises ValueError, worded for a quarantine reason, if it is no day."""
    words = text.lower()
    numbers: dict[str, tuple[str, str, str]] = {}
    if found := _NUMBERS.fullmatch(text):
        first, _, second, third = found.groups()
        numbers = {"dmy": (third, second, first), "mdy": (third, first, second)}
        if len(third) == 2:
            numbers["ymd"] = (first.zfill(2), second, third)
    elif found := _YEAR_FIRST.fullmatch(text):
        numbers = {"ymd": (found[1], found[3], found[4])}
    elif found := _COMPACT.fullmatch(text):
        numbers = {"ymd": (found[1], found[2], found[3])}
    elif found := _DAY_MONTH.fullmatch(words):
        numbers = {"dmy": (found[3], _month(found[2]), found[1])}
    elif found := _MONTH_DAY.fullmatch(words):
        numbers = {"mdy": (found[3], _month(found[1]), found[2])}
    elif may_be_serial(text):
        raise ValueError(f"may be a spreadsheet's number of a day: format the column as a date, or {_ADVICE}")
    else:
        raise ValueError(f"is no date that is understood: {_ADVICE}")
    days: dict[str, date] = {}
    for order, (year, month, day) in numbers.items():
        try:
            days[order] = date(_century(year), int(month), int(day))
        except ValueError:
            continue
    if not days:
        raise ValueError("is no day or time that exists")
    within = {order: day for order, day in days.items() if FIRST_YEAR <= day.year <= LAST_YEAR}
    if not within:
        _check_year(next(iter(days.values())).year)
    return within


def _month(name: str) -> str:
    """The number of a month from its English name or the beginning of it; "0" for other words."""
    found = [number for number, month in enumerate(_MONTHS, 1) if month.startswith(name)]
    if name == "sept":
        found = [9]
    return str(found[0]) if len(found) == 1 else "0"


def _century(year: str) -> int:
    # As POSIX reads %y: 69 to 99 are of the 20th century.
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 69 else 2000)


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")


@lru_cache(maxsize=4096)
def _without_clock(text: str) -> str:
    """The date part of a date with a time of day; the whole text if the time does not exist."""
    place = text.find(":")
    if place < 0:
        return text
    start = max(text.rfind("T", 0, place), text.rfind(" ", 0, place))
    if start > 0 and text[start - 1] == ",":
        start -= 1
    found = _CLOCK.fullmatch(text, max(start, 0))
    if found is None:
        return text
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    good = minute < 60 and second < 60 and (1 <= hour <= 12 if found[4] else hour < 24)
    return text[:start] if good else text
