"""Dates as ledgers write them.

A text that can be only one day is that day. `03/04/2026` may be two days: other dates of the column decide the order
of day and month, and if they do not, the date is not read.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
    r"(?P<hour>\d{1,2})(?P<mark>[:.])(?P<minute>\d{2})(?:(?P=mark)(?P<second>\d{2})(?:[.,:]\d{1,30})?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?(?: ?(?:hrs?|hours|uhr)\b\.?)?",
    re.ASCII | re.IGNORECASE,
)
_TIMED = re.compile(
    rf"(?P<day>.*?\d[^\s:]*?|.*?[^\W\d_]\.?)(?:T|,? |(?<=\d)-(?=\d{{2}}\.))(?P<clock>{_CLOCK.pattern})(?P<rest>.*)",
    re.ASCII | re.IGNORECASE,
)
_COMPACT_CLOCK = re.compile(
    r"(?P<day>\d{8})[T ]?(?P<clock>\d{4}(?:\d{2})?)(?:[.,]\d{1,9})?(?P<rest>(?:\D.*)?)", re.ASCII
)
_OFFSET = re.compile(
    r"(?:UTC|GMT)? ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?", re.ASCII | re.IGNORECASE
)
_ZERO = frozenset(("z", "utc", "gmt", "zulu", "etc/utc"))
"""Zones whose name means one and the same offset everywhere. IST is India, Israel and Ireland: of such a name the day
counts as it is written."""
_ZONE_NAME = re.compile(
    r"(?:[A-Z]{2,5}|[A-Z][A-Za-z]+/[A-Za-z_/]+|[A-Z][a-z]+ (?:Standard|Daylight|Summer) Time)", re.ASCII
)
_DAY_ZONE = re.compile(r"(.*\d)(?: ?Z| UTC| GMT|(?<=-\d\d)[+-]\d\d:\d\d)", re.ASCII)
"""A day with a zone, `2026-04-01+05:30`, as XML writes it."""
_WEEKDAY = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?\.?,? +", re.ASCII | re.IGNORECASE
)
_CTIME = re.compile(
    r"(?P<month>[a-z]{3,9})\.? +(?P<day>\d{1,2}),? (?P<clock>\d{1,2}:\d{2}(?::\d{2})?) "
    r"(?P<zone>(?:\S+ )?)(?P<year>\d{4})",
    re.ASCII | re.IGNORECASE,
)
"""`Apr 01 10:15:22 IST 2026`, as C and Java write it."""
_UNIX = re.compile(r"1\d{9}(?:\d{3}){0,2}(?:\.\d+)?", re.ASCII)
_CJK = re.compile(r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]")
_NUMBERS = re.compile(r"(\d{1,2})([/.\- ])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([/.\-])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_WORD = r"[^\W\d_][^\s\d.,/\-]{2,15}"
_DAY_MONTH = re.compile(
    rf"(\d{{1,2}})(?:st|nd|rd|th|er|º)?(?:\.?[-/ ]|\.)?(?:(?:de|of) )?({_WORD})"
    r"(?:[-/., ]{0,2}(?:de )?)(\d{4}|\d{2})"
)
_MONTH_DAY = re.compile(rf"({_WORD})\.?[-/ ](\d{{1,2}})(?:st|nd|rd|th)?(?:,? |[-/])(\d{{4}})")
_YEAR_MONTH_DAY = re.compile(rf"(\d{{4}})[-/. ]({_WORD})[-/. ](\d{{1,2}})")
_SPACED = re.compile(r"(?<=\d)\. (?=\d)")
_APACHE = re.compile(r"(?<=/\d{4}):(?=\d\d:)", re.ASCII)
"""Between day and time, as web servers write them: `01/Apr/2026:10:15:22 +0530`."""
_MONTHS: tuple[tuple[str, ...], ...] = (
    ("january", "januar", "jänner", "janvier", "enero", "janeiro", "gennaio", "januari", "जनवरी"),
    (
        "february",
        "februar",
        "février",
        "fevrier",
        "febrero",
        "fevereiro",
        "febbraio",
        "februari",
        "फ़रवरी",
        "फरवरी",
    ),
    ("march", "märz", "maerz", "mrz", "mars", "marzo", "março", "marco", "maart", "मार्च"),
    ("april", "avril", "abril", "aprile", "अप्रैल"),
    ("may", "mai", "mayo", "maio", "maggio", "mei", "मई"),
    ("june", "juni", "juin", "junio", "junho", "giugno", "जून"),
    ("july", "juli", "juillet", "julio", "julho", "luglio", "जुलाई"),
    ("august", "août", "aout", "agosto", "augustus", "अगस्त"),
    ("september", "sept", "septembre", "septiembre", "setiembre", "setembro", "settembre", "सितंबर", "सितम्बर"),
    ("october", "oktober", "octobre", "octubre", "outubro", "ottobre", "अक्टूबर", "अक्तूबर"),
    ("november", "novembre", "noviembre", "novembro", "नवंबर", "नवम्बर"),
    ("december", "dezember", "décembre", "decembre", "diciembre", "dezembro", "dicembre", "दिसंबर", "दिसम्बर"),
)
"""In English, German, French, Spanish, Portuguese, Italian, Dutch and Hindi; the beginning of a name is enough where
no other month begins so."""
_SERIAL = re.compile(r"[1-9]\d{4}(?:\.\d+)?", re.ASCII)

_ADVICE = "write it as YYYY-MM-DD"

_LONGEST = 100
"""Characters of a text that may be a date."""


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
        raise ValueError("is not a day or time that exists") from None
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
        written = _parts(text)
        days = _days(written.day)
        different = set(days.values())
        if len(different) == 1:
            return written.at(different.pop())
        order = self.orders.get(shape_of(text))
        if order is None:
            shown = " or ".join(f"{day:%-d %B %Y}" for day in sorted(different))
            raise ValueError(f"may be {shown}: give the ledger's profile a date_format, or {_ADVICE}")
        if order not in days:
            raise ValueError(f"is not a day that exists, if read as {ORDERS[order]}")
        return written.at(days[order])


@dataclass(frozen=True, slots=True)
class _Written:
    """A date with a time of day, taken apart."""

    day: str
    clock: tuple[int, int, int] = (0, 0, 0)
    offset: timedelta | None = None
    """From UTC; None where none is written, or only a name that means several."""
    region: ZoneInfo | None = None
    """Of the tz database, `Asia/Kolkata`, where no offset is written."""

    def at(self, day: date) -> tuple[date, datetime | None]:
        """The day, and the instant in UTC where the zone is known."""
        if self.offset is None and self.region is None:
            return day, None
        zone = self.region if self.offset is None else timezone(self.offset)
        local = datetime.combine(day, time(*self.clock), zone)
        return day, local.astimezone(UTC)


def shape_of(text: str) -> str:
    """Dates that are written alike have one shape, `//4`: separators and digits of the year. "" for a date whose
    writing leaves no choice."""
    found = _NUMBERS.fullmatch(_tight(_parts(text).day))
    return f"{found[2]}{found[2]}{len(found[4])}" if found else ""


def formats(text: str) -> list[str]:
    """The profile's `date_format` for each order in which the numbers of this text make a day."""
    shape = shape_of(text)
    letters = {"d": "%d", "m": "%m", "y": "%Y" if shape.endswith("4") else "%y"}
    return [shape[:1].join(letters[letter] for letter in order) for order in _days(_parts(text).day)]


def _tight(day: str) -> str:
    """`1.4.2026` of `1. 4. 2026`."""
    return _SPACED.sub(".", day)


@dataclass(frozen=True, slots=True)
class DateColumn:
    """How all dates of a column are written."""

    style: DateStyle
    unclear: Mapping[str, int]
    """Dates that cannot be read without a guess, with the number of rows that have them."""
    proof: Mapping[str, str]
    """By shape, a date that is possible only in the order found; "" if every order gives the same days."""


@dataclass(slots=True)
class SureDays:
    """The days of a column that can be read without a guess."""

    first: date | None = None
    last: date | None = None
    rows: int = 0

    def add(self, day: date, rows: int = 1) -> None:
        """Some rows of one day."""
        self.first = day if self.first is None else min(self.first, day)
        self.last = day if self.last is None else max(self.last, day)
        self.rows += rows

    def hold(self, days: Collection[date], *, margin: int = 0) -> bool:
        """Whether all these days lie among them, or so many days around them."""
        if self.first is None or self.last is None:
            return False
        around = timedelta(days=margin)
        return bool(days) and self.first - around <= min(days) and max(days) <= self.last + around


_FEW_SURE, _FAR = 3, 45
"""The least number of sure dates, and the days around them, that decide which day an ambiguous date is."""


def decide(texts: Counter[str], sure: SureDays | None = None) -> DateColumn:
    """Find the order of day, month and year for every shape. `texts` has the number of rows of each date.

    `sure` are the days of other rows. Where a shape proves no order, they decide if they are at least as many, all its
    days lie among them in one order, and in the other all that differ lie far away.
    """
    sure = sure or SureDays()
    by_shape: dict[str, dict[str, Mapping[str, date]]] = {}
    for text in texts:
        shape = shape_of(text)
        if shape:
            try:
                by_shape.setdefault(shape, {})[text] = _days(_parts(text).day)
            except ValueError:
                continue  # no day in any order proves none; normalise will say what is wrong with it
        else:
            try:
                days = set(_days(_parts(text).day).values())
            except ValueError:
                continue
            if len(days) == 1:
                sure.add(days.pop(), texts[text])
    orders: dict[str, str | None] = {}
    proof: dict[str, str] = {}
    unclear: dict[str, int] = {}
    for shape, readings in by_shape.items():
        possible = [order for order in ORDERS if _fits(order, shape, readings.values())]
        same = all(len(set(days.values())) == 1 for days in readings.values())
        rows = sum(texts[text] for text in readings)
        if len(possible) > 1 and not same and sure.rows >= max(rows, _FEW_SURE):
            possible = _among(sure, possible, readings.values()) or possible
        orders[shape] = possible[0] if len(possible) == 1 or (possible and same) else None
        if orders[shape] is None:
            unclear |= {text: texts[text] for text, days in readings.items() if len(set(days.values())) > 1}
        else:
            proof[shape] = min((text for text, days in readings.items() if len(days) == 1), default="")
    return DateColumn(DateStyle(orders=orders), unclear, proof)


def _among(sure: SureDays, possible: Sequence[str], readings: Iterable[Mapping[str, date]]) -> list[str]:
    """The order in which all days lie among the sure ones, where in every other order those that differ lie far off."""
    days = {order: [found[order] for found in readings] for order in possible}
    within = [order for order in possible if sure.hold(days[order])]
    if len(within) != 1:
        return []
    for order in possible:
        others = [other for other, own in zip(days[order], days[within[0]], strict=True) if other != own]
        if order != within[0] and any(sure.hold([other], margin=_FAR) for other in others):
            return []
    return within


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
    """A date's text without what only looks like nothing: blanks around it, and fixed spaces within."""
    return text if text.isascii() and text.isprintable() and "  " not in text else " ".join(text.split())


@lru_cache(maxsize=4096)
def _formatted(text: str, pattern: str) -> tuple[date, datetime | None]:
    if pattern.endswith("%Z"):
        # Python's %Z knows UTC, GMT and the zone of the machine, and tells nothing of it.
        rest, _, zone = text.rpartition(" ")
        offset, known = _offset_of(zone)
        at = _parsed(rest, pattern[:-2].rstrip()) if known and not zone[:1].isdigit() else None
        if at is not None:
            _check_year(at.year)
            written = _Written("", (at.hour, at.minute, at.second), offset, _region_of(zone))
            return written.at(at.date())
    at = _parsed(text, pattern)
    if at is None and (at := _parsed((written := _parts(text)).day, pattern)) is not None:
        _check_year(at.year)
        return written.at(at.date())
    if at is not None:
        _check_year(at.year)
        return at.date(), None if at.utcoffset() is None else at.astimezone(UTC)
    if _ISO.fullmatch(text):
        return parse_iso(text)
    raise ValueError(f"does not fit the profile's date_format {pattern}, nor ISO 8601 (YYYY-MM-DD)")


def _parsed(text: str, pattern: str) -> datetime | None:
    if not text.isascii():  # strptime also takes digits of other scripts
        return None
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007 - without %z a day is as written
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _days(text: str) -> Mapping[str, date]:
    """The days that a text without a time of day may be, by order (a key of ORDERS).

    Raises ValueError, worded for a quarantine reason, if it is no day."""
    text = _tight(text)
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
    elif found := _YEAR_MONTH_DAY.fullmatch(words):
        numbers = {"ymd": (found[1], _month(found[2]), found[3])}
    elif found := _CJK.fullmatch(text):
        numbers = {"ymd": (found[1], found[2], found[3])}
    elif _UNIX.fullmatch(text):
        seconds = int(text.partition(".")[0][:10])
        raise ValueError(
            f"is a Unix time ({datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC): export it as a date, "
            f"{_ADVICE}"
        )
    elif may_be_serial(text):
        raise ValueError(f"may be a spreadsheet's number of a day: format the column as a date, or {_ADVICE}")
    else:
        raise ValueError(f"is not a date that can be read: {_ADVICE}")
    days: dict[str, date] = {}
    for order, (year, month, day) in numbers.items():
        try:
            days[order] = date(_century(year), int(month), int(day))
        except ValueError:
            continue
    if not days:
        raise ValueError("is not a day or time that exists")
    within = {order: day for order, day in days.items() if FIRST_YEAR <= day.year <= LAST_YEAR}
    if not within:
        _check_year(next(iter(days.values())).year)
    return within


def _month(name: str) -> str:
    """The number of a month by its name or the beginning of it; raises ValueError for other words."""
    if len(name) < 3:
        found = []
    else:
        found = [
            number
            for number, names in enumerate(_MONTHS, 1)
            if any(month.startswith(name) for month in names)
        ]
    if len(found) != 1:
        raise ValueError(f"holds {name!r}, which is not the name of a month that can be read: {_ADVICE}")
    return str(found[0])


def _century(year: str) -> int:
    # As POSIX reads %y: 69 to 99 are of the 20th century.
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 69 else 2000)


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")


@lru_cache(maxsize=4096)
def _parts(text: str) -> _Written:
    """A date with a time of day, a weekday or a zone taken apart; the text as it is if what follows is no time that
    exists."""
    if len(text) > _LONGEST:
        return _Written(text)
    text = _WEEKDAY.sub("", text, count=1) if _WEEKDAY.match(text) else text
    text = _APACHE.sub(" ", text)
    if found := _CTIME.fullmatch(text):
        month, day, clock, zone, year = found.groups()
        text = f"{day} {month} {year} {clock} {zone}".rstrip()
    found = _TIMED.fullmatch(text)
    if found is None:
        if (packed := _COMPACT_CLOCK.fullmatch(text)) is not None:
            digits = packed["clock"]
            clock = int(digits[:2]), int(digits[2:4]), int(digits[4:] or 0)
            return _written(text, packed["day"], clock, packed["rest"])
        day = _DAY_ZONE.fullmatch(text)  # without a time of day a zone says nothing
        return _Written(day[1] if day else text)
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            return _Written(text)
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    return _written(text, found["day"], (hour, minute, second), found["rest"])


def _written(text: str, day: str, clock: tuple[int, int, int], zone: str) -> _Written:
    """Raises nothing: what cannot be is left together, and then no day is found in it."""
    hour, minute, second = clock
    offset, known = _offset_of(zone.strip())
    if not known or hour > 23 or minute > 59 or second > 59:
        return _Written(text)
    region = _region_of(zone) if offset is None else None
    return _Written(day.rstrip(" ,"), clock, offset, region)


def _region_of(zone: str) -> ZoneInfo | None:
    """The zone of the tz database that a text names; None for names such as IST, which may mean several."""
    name = zone.strip("()[] ")
    if "/" not in name:
        return None
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None


def _offset_of(zone: str) -> tuple[timedelta | None, bool]:
    """The offset that a zone names, if it is one and the same everywhere; and whether it is a zone at all."""
    zone = zone.replace("[", " (").replace("]", ")").strip()
    zone = re.sub(r"(?<=\S) ?\([^()]*\)$", "", zone).strip("() ")  # GMT+0530 (India Standard Time)
    if not zone:
        return None, True
    offsets: set[timedelta | None] = set()
    for word in re.sub(r"(?<=[A-Za-z])\s+(?=[+-]\d)", "", zone).replace("(", " ").replace(")", " ").split():
        if word.lower() in _ZERO:
            offsets.add(timedelta(0))
        elif (found := _OFFSET.fullmatch(word)) is not None:
            size = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
            if size > timedelta(hours=14):
                return None, False
            offsets.add(-size if found["sign"] == "-" else size)
        elif not _ZONE_NAME.fullmatch(word):
            return (None, True) if _ZONE_NAME.fullmatch(zone) else (None, False)
    if len(offsets) > 1:
        return None, False
    return (offsets.pop() if offsets else None), True
