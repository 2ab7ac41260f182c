"""Ledger profiles: how to read one kind of ledger, from `[ledger.NAME]` in reconcile.toml."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from reconcile.core.money import Currencies
from reconcile.ledger.sides import SideWords, word_of

REQUIRED = ("ledger_id", "amount", "date")
OPTIONAL = (
    "reference",
    "currency",
    "status",
    "transaction_id",
    "provider_order_id",
    "provider_txn_id",
    "description",
    "app_id",
)
COLUMNS = (*REQUIRED, *OPTIONAL)
"""The standard column names. Other columns are not read."""

IN, OUT = "amount_in", "amount_out"
"""Instead of `amount`: two columns, for money that came in and money that went out. Whether debit or credit is money
in depends on the exported account, so the profile says it."""

SIDE = "side"
"""The column that the profile's `side` names."""

EVERY_SHEET = "*"

TOML = "reconcile.toml"

_URLS = ("url", "url_file", "url_env")
_TEXT_KEYS = frozenset(
    {
        "currency",
        "date_format",
        "decimal",
        "thousands",
        "encoding",
        "reference_pattern",
        "amounts",
        "query",
        *_URLS,
    }
)
_KEYS = _TEXT_KEYS | {"columns", "sheet", "side", "fill_down"}
_SIDE_KEYS = frozenset({"column", "in", "out"})
_AMOUNTS = ("major", "minor")
_NO_FILL = frozenset({"amount", IN, OUT})
_DECIMALS = (".", ",")
_THOUSANDS = ("", ",", ".", " ", "'")
_DIRECTIVE = re.compile("%(.?)")
_DAYS, _YEARS, _MONTHS = frozenset("djxc"), frozenset("yYxcG"), frozenset("mbBjxc")
_PROBE = datetime(2001, 2, 3, tzinfo=UTC)
"""A day that every order of numbers writes differently."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one kind of ledger. What is None is detected."""

    name: str
    """The source of its entries, by which they are known together with their ledger_id."""
    currency: str | None = None
    """The currency of all entries, if there is no column for it."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """By standard name, the header in the file; a name that is not here is its own header."""
    date_format: str | None = None
    """The format for Python's strptime."""
    decimal: str | None = None
    thousands: str | None = None
    """ "": nothing parts thousands."""
    sheets: tuple[str, ...] = ()
    """Of a workbook; EVERY_SHEET stands for all that have the header."""
    encoding: str | None = None
    """As Python names it."""
    side: SideWords | None = None
    """Which word is money that came in, and which money that went out."""
    reference_pattern: re.Pattern[str] | None = None
    """What finds the reference in its column or, if there is none, in the description."""
    fill_down: tuple[str, ...] = ()
    """Standard columns in which a blank cell means the one above."""
    minor: bool = False
    """Whether amounts are whole numbers of the minor unit (paise, cents)."""
    id_columns: tuple[str, ...] = ()
    """Headers of the columns that together are the ledger_id; empty where it is one column."""
    query: str | None = None
    """A SQL query instead of a file; then one of the next three names the database."""
    url: str | None = field(default=None, repr=False)
    """The database URL for SQLAlchemy; it may hold a password."""
    url_file: str | None = None
    """The path of a file that holds the URL."""
    url_env: str | None = None
    """The name of an environment variable that holds the URL."""
    currencies: Currencies = field(default_factory=Currencies, repr=False)
    """The known currencies with their decimals; amounts may name their codes."""


def read_profile(name: str, table: object, currencies: Currencies) -> Profile:
    """Check one table of reconcile.toml. Raises ValueError that names the wrong key."""
    if not isinstance(table, dict):
        raise ValueError("must be a table")  # noqa: TRY004 - the settings show this text
    if unknown := sorted(set(table) - _KEYS):
        raise ValueError(f"has an unknown key {unknown[0]!r} (known: {', '.join(sorted(_KEYS))})")
    for key in _TEXT_KEYS:
        if key in table and not isinstance(table[key], str):
            raise ValueError(f"{key} must be a text")
    values: dict[str, Any] = dict(table)
    values["sheets"] = _sheets(values.pop("sheet", ()))
    values["side"] = _side(values.get("side"))
    values["fill_down"] = _fill_down(values.get("fill_down", ()))
    values["reference_pattern"] = _pattern(values.get("reference_pattern"))
    amounts = values.pop("amounts", "major")
    if amounts not in _AMOUNTS:
        raise ValueError(f'amounts {amounts!r} must be "minor" (paise, cents) or "major"')
    values["minor"] = amounts == "minor"
    if "encoding" in values:
        _check_encoding(values["encoding"])
    currency = values.get("currency")
    if currency is not None and currency not in currencies.digits:
        raise ValueError(f"currency {currency!r} is not a known currency")
    _check_marks(values.get("decimal"), values.get("thousands"))
    if "date_format" in values:
        _check_date_format(values["date_format"])
    _check_query(values)
    columns = values.get("columns", {})
    if not isinstance(columns, dict):
        raise ValueError('columns must be a table such as { ledger_id = "Voucher No" }')  # noqa: TRY004
    if isinstance(columns.get("ledger_id"), list):
        values["id_columns"] = _texts("columns: ledger_id", columns["ledger_id"])
        columns = {name: header for name, header in columns.items() if name != "ledger_id"}
    values["columns"] = _columns(columns)
    side = values["side"]
    if side is not None and side.column is not None:
        if side.column.strip().casefold() in {
            header.strip().casefold() for header in values["columns"].values()
        }:
            raise ValueError(f"side: its column {side.column!r} is named in columns too")
        values["columns"] = {**values["columns"], SIDE: side.column}
    return Profile(name=name, currencies=currencies, **values)


def _check_query(values: Mapping[str, Any]) -> None:
    urls = [key for key in _URLS if key in values]
    if len(urls) > 1:
        raise ValueError(f"{' and '.join(urls)} are both set: keep one")
    if bool(urls) != ("query" in values):
        raise ValueError(f"needs query and one of {', '.join(_URLS)}, or none of them")
    if empty := [key for key in (*_URLS, "query") if key in values and not values[key].strip()]:
        raise ValueError(f"{empty[0]} is empty")


def _texts(key: str, value: object) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(name, str) and name.strip() for name in value)
    ):
        raise ValueError(f"{key} must be a list of texts")
    if len({name.strip().casefold() for name in value}) < len(value):
        raise ValueError(f"{key} names one text twice")
    return tuple(value)


def _sheets(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return _texts("sheet", value) if value != () else ()


def _side(table: object) -> SideWords | None:
    if table is None:
        return None
    shape = 'side must be a table such as { column = "Dr/Cr", in = ["Cr"], out = ["Dr"] }'
    if not isinstance(table, dict) or set(table) - _SIDE_KEYS or not {"in", "out"} <= set(table):
        raise ValueError(shape)
    column = table.get("column")
    if column is not None and not (isinstance(column, str) and column.strip()):
        raise ValueError(f"{shape}: column must be the text of a header")
    words: list[frozenset[str]] = []
    for key in ("in", "out"):
        found = [table[key]] if isinstance(table[key], str) else table[key]
        if not isinstance(found, list) or not found or not all(isinstance(word, str) for word in found):
            raise ValueError(f"{shape}: {key} must be a list of words")
        words.append(frozenset(map(word_of, found)))
    if words[0] & words[1]:
        raise ValueError(f"side: {sorted(words[0] & words[1])[0]!r} stands in both in and out")
    return SideWords(column, words[0], words[1])


def _fill_down(value: object) -> tuple[str, ...]:
    names = _texts("fill_down", value) if value != () else ()
    for name in names:
        if name in _NO_FILL:
            raise ValueError(f"fill_down: {name} cannot be filled down: one amount would count several times")
        if name not in COLUMNS:
            raise ValueError(
                f"fill_down names {name!r}, which is no standard column (known: {', '.join(COLUMNS)})"
            )
    return names


def _pattern(value: str | None) -> re.Pattern[str] | None:
    if value is None:
        return None
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"reference_pattern {value!r} is no regular expression ({error})") from None
    if pattern.fullmatch(""):
        raise ValueError(f"reference_pattern {value!r} fits an empty text")
    return pattern


def _check_encoding(name: str) -> None:
    try:
        is_text = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise ValueError(
            f'encoding {name!r} is none that Python knows, such as "cp1250", "shift_jis" or "utf-16-le"'
        )


def _columns(table: Mapping[str, object]) -> dict[str, str]:
    known = (*COLUMNS, IN, OUT)
    for name, header in table.items():
        if name not in known:
            raise ValueError(
                f"columns names {name!r}, which is not a standard column (known: {', '.join(known)})"
            )
        if not isinstance(header, str) or not header.strip():
            raise ValueError(f"columns: {name} must be the text of a header")
    if "amount" in table and (IN in table or OUT in table):
        raise ValueError(f"columns must name either amount, or {IN} and {OUT}")
    if (IN in table) != (OUT in table):
        raise ValueError(f"columns must name both {IN} and {OUT}, or neither")
    headers = [str(header).strip().casefold() for header in table.values()]
    if len(set(headers)) < len(headers):
        raise ValueError("columns names one header twice")
    return {name: str(header) for name, header in table.items()}


def _check_marks(decimal: str | None, thousands: str | None) -> None:
    if decimal is not None and decimal not in _DECIMALS:
        raise ValueError(f"decimal {decimal!r} must be one of {', '.join(map(repr, _DECIMALS))}")
    if thousands is not None and thousands not in _THOUSANDS:
        raise ValueError(f"thousands {thousands!r} must be one of {', '.join(map(repr, _THOUSANDS))}")
    if thousands is not None and thousands == (decimal or "."):
        raise ValueError(f"decimal and thousands are both {thousands!r}")


def _check_date_format(pattern: str) -> None:
    used = set(_DIRECTIVE.findall(pattern.replace("%%", "")))
    if not (used & _DAYS and used & _YEARS and used & _MONTHS):
        raise ValueError(f'date_format {pattern!r} must hold a day, a month and a year, such as "%d/%m/%Y"')
    try:
        written = _PROBE.strftime(pattern)
        day = datetime.strptime(written, pattern).date()  # noqa: DTZ007 - only the day matters
    except (ValueError, re.error):
        raise ValueError(f'date_format {pattern!r} is not a format of Python, such as "%d/%m/%Y"') from None
    if day != _PROBE.date():
        raise ValueError(f"date_format {pattern!r} does not read the days back that it writes")
    if written.startswith("2001-03-02"):
        raise ValueError(f"date_format {pattern!r} contradicts ISO 8601, which is always understood")
