"""Ledger profiles: how to read one kind of ledger, from `[ledger.NAME]` in reconcile.toml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconcile.core.money import Currencies

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

TOML = "reconcile.toml"

_URLS = ("url", "url_file", "url_env")
_KEYS = frozenset({"columns", "currency", "date_format", "decimal", "thousands", "sheet", "query", *_URLS})
_DECIMALS = (".", ",")
_THOUSANDS = ("", ",", ".", " ", "'")
_DIRECTIVE = re.compile("%(.?)")
_DAYS, _YEARS, _MONTHS = frozenset("djxc"), frozenset("yYxcG"), frozenset("mbBjxc")
_PROBE = datetime(2001, 2, 3)  # noqa: DTZ001 - every order of day, month and year writes it differently


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
    """ "": there is no mark between thousands."""
    sheet: str | None = None
    """The sheet of a workbook."""
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
    for key in _KEYS - {"columns"}:
        if key in table and not isinstance(table[key], str):
            raise ValueError(f"{key} must be a text")
    values: dict[str, Any] = dict(table)
    currency = values.get("currency")
    if currency is not None and currency not in currencies.digits:
        raise ValueError(f"currency {currency!r} is not a known currency")
    _check_marks(values.get("decimal"), values.get("thousands"))
    if "date_format" in values:
        _check_date_format(values["date_format"])
    urls = [key for key in _URLS if key in values]
    if len(urls) > 1:
        raise ValueError(f"{' and '.join(urls)} are both set: keep one")
    if bool(urls) != ("query" in values):
        raise ValueError(f"needs query and one of {', '.join(_URLS)}, or none of them")
    if empty := [key for key in (*_URLS, "query") if key in values and not values[key].strip()]:
        raise ValueError(f"{empty[0]} is empty")
    values["columns"] = _columns(values.get("columns", {}))
    return Profile(name=name, currencies=currencies, **values)


def _columns(table: object) -> dict[str, str]:
    known = (*COLUMNS, IN, OUT)
    if not isinstance(table, dict):
        raise ValueError('columns must be a table such as { ledger_id = "Voucher No" }')  # noqa: TRY004
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
    headers = [header.strip().casefold() for header in table.values()]
    if len(set(headers)) < len(headers):
        raise ValueError("columns names one header twice")
    return dict(table)


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
