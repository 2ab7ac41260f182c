"""Rows of a ledger, typed one by one: the careful normaliser of this side. Pure: no file, no clock.

Here is decided whether a record *can* be typed without guessing. Whether it *may* be used (is its currency
known, has its amount too many decimals) is decided by `reconcile.validate.validator`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from reconcile.core.money import Currencies, currency_code, parse_amount
from reconcile.core.records import Entry, RawRow, Rejection, Side
from reconcile.core.rejections import Problem, rejection
from reconcile.ledger import amounts as written_amounts
from reconcile.ledger import dates as written_dates
from reconcile.ledger.columns import Style
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR, parse_iso
from reconcile.ledger.file import BROKEN, LedgerFile
from reconcile.ledger.profile import IN, OUT, Profile
from reconcile.ledger.table import UnreadableCell
from reconcile.normalise.fields import MAX_KEY, MAX_TEXT, names, text_of
from reconcile.normalise.normaliser import Normalised

_LINE_BREAK = re.compile("[\r\n\t]")
_TOTALS = re.compile(
    r"(?:grand |sub)? ?totals?\b|(?:opening|closing) balance\b|carried over\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EntryNormaliser:
    """Types rows of a ledger, whatever they hold. A `Normaliser`."""

    app_ids: tuple[str, ...]
    """The apps that a column `app_id` may name; rows that name none belong to the first."""
    source: str
    currency: str | None
    """Of a ledger without a column for it."""
    currencies: Currencies
    style: Style = Style()  # noqa: RUF009 - it is immutable
    """How its dates and amounts are written."""

    @classmethod
    def of(
        cls, ledger: LedgerFile, profile: Profile, app_ids: Sequence[str], currencies: Currencies
    ) -> "EntryNormaliser":
        """The normaliser of one ledger."""
        return cls(tuple(app_ids), profile.name, profile.currency, currencies, ledger.style)

    def __call__(self, rows: Sequence[RawRow], /) -> Normalised[Entry]:
        return Normalised.one_by_one(rows, self.typed(rows))

    def typed(self, rows: Iterable[RawRow]) -> Iterator[Entry | Rejection]:
        """One value for every row."""
        app_id, app_ids = self.app_ids[0], frozenset(self.app_ids)
        for row in rows:
            yield _entry(row, app_id, self.source, self.currency, self.currencies, app_ids, self.style)


def _entry(
    row: RawRow,
    app_id: str,
    source: str,
    default_currency: str | None,
    currencies: Currencies,
    app_ids: frozenset[str],
    style: Style,
) -> Entry | Rejection:
    values = row.values
    several_apps = len(app_ids) > (app_id in app_ids)
    if not several_apps and (usual := _usual_entry(row, app_id, source, default_currency, style)) is not None:
        return usual
    if BROKEN in values:
        return rejection(
            [("row", values["line"], values[BROKEN])],
            side=Side.LEDGER,
            app_id=app_id,
            source=source,
            place=row.place,
            record={"line": values["line"]},
        )
    problems: list[Problem] = []
    texts = "".join([value for value in values.values() if type(value) is str])
    breaks = _LINE_BREAK.search(texts) is not None

    def key(name: str) -> str | None:
        value = values.get(name)
        if breaks and isinstance(value, str) and _LINE_BREAK.search(value):
            # Two rows may have been joined by a pair of stray quotes: not to be read as one.
            problems.append((name, value, "holds a line break or a tab"))
            return None
        return text_of(name, value, MAX_KEY, problems)

    ledger_id = (key("ledger_id") or "").strip()
    named_app = key("app_id")
    owner = (named_app or app_id).strip()
    if several_apps and named_app is None and not names(problems, "app_id"):
        problems.append(("app_id", None, "is missing: there are several apps, so each row must name its own"))
    if owner != app_id and owner not in app_ids:
        problems.append(("app_id", owner, "names an app that is not in the settings"))
        owner = app_id
    currency = default_currency or ""
    if "currency" in values:
        currency = currency_code(key("currency") or "")
    amount, named = _written_amount(values, style, currency, currencies, problems)
    if not currency and len(named) == 1:
        currency = next(iter(named))
    if not currency and not names(problems, "currency"):
        problems.append(("currency", values.get("currency"), "is missing: write its ISO 4217 code"))
    dated_on, dated_at = _written_date(values.get("date") or "", style, problems)
    reference = key("reference")
    status = (text_of("status", values.get("status"), MAX_TEXT, problems) or "").strip()
    transaction_id = key("transaction_id")
    provider_order_id = key("provider_order_id")
    provider_txn_id = key("provider_txn_id")
    description = text_of("description", values.get("description"), MAX_TEXT, problems)
    if problems or amount is None:
        if any(isinstance(value, str) and _TOTALS.match(value) for value in values.values()):
            problems.append(("row", None, "looks like a line of totals"))
        return rejection(
            problems,
            side=Side.LEDGER,
            app_id=owner,
            source=source,
            record_id=ledger_id,
            place=row.place,
            record=values,
            currency=currency if currency in currencies.digits else None,
            dated_on=dated_on,
            dated_at=dated_at,
        )
    return Entry(
        app_id=owner,
        source=source,
        ledger_id=ledger_id,
        reference=reference,
        currency=currency,
        amount=amount,
        status=status,
        dated_on=dated_on,
        dated_at=dated_at,
        transaction_id=transaction_id and transaction_id.strip(),
        provider_order_id=provider_order_id and provider_order_id.strip(),
        provider_txn_id=provider_txn_id and provider_txn_id.strip(),
        description=description,
        place=row.place,
    )


def _usual_entry(
    row: RawRow, app_id: str, source: str, default_currency: str | None, style: Style
) -> Entry | None:
    """An entry as nearly all are written: short ASCII texts, an ISO day, an amount with a point. Four times
    as fast as by `_entry`, which reads it to the same; None for any other row."""
    get = row.values.get
    day: Any = get("date")
    written: Any = get("amount")
    if type(written) is not str or type(day) is not str:
        return None
    try:
        joined = "".join(row.values.values())
        if len(joined) > MAX_KEY or not joined.isascii() or not joined.isprintable():
            return None
        dated_on = usual_day(day) if style.dates.format is None else None
        decimal_point = style.amounts.decimal != "," and style.amounts.thousands is None
        if dated_on is None or not decimal_point or not written_amounts.USUAL.fullmatch(written):
            return None
    except TypeError:  # a value that is no text
        return None
    ledger_id = get("ledger_id", "").strip()
    currency = currency_code(get("currency", default_currency or ""))
    if not currency or "app_id" in row.values:
        return None
    return Entry(
        app_id=app_id,
        source=source,
        ledger_id=ledger_id,
        reference=_unless_blank(get("reference")),
        currency=currency,
        amount=parse_amount(written),
        status=get("status", "").strip(),
        dated_on=dated_on,
        dated_at=None,
        transaction_id=get("transaction_id", "").strip() or None,
        provider_order_id=get("provider_order_id", "").strip() or None,
        provider_txn_id=get("provider_txn_id", "").strip() or None,
        description=_unless_blank(get("description")),
        place=row.place,
    )


def _unless_blank(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


@lru_cache(maxsize=10_000)
def usual_day(text: str) -> date | None:
    """A day of ISO 8601 without a time; None for any other text."""
    if len(text) != 10:
        return None
    try:
        return parse_iso(text)[0]
    except ValueError:
        return None


def _written_amount(
    values: Mapping[str, Any], style: Style, currency: str, currencies: Currencies, problems: list[Problem]
) -> tuple[Decimal | None, frozenset[str]]:
    """The amount and the currencies that its sign or code may mean; of two columns, what came in less what
    went out."""
    if IN not in values:
        return _one_amount("amount", values.get("amount") or "", style, currency, currencies, problems)
    came, went = (values.get(name) for name in (IN, OUT))
    found: list[tuple[Decimal, frozenset[str]]] = []
    for name, value in ((IN, came), (OUT, went)):
        if value is not None and value != "" and not (isinstance(value, str) and not value.strip()):
            amount, named = _one_amount(name, value, style, currency, currencies, problems)
            if amount is None:
                return None, named
            if amount:
                found.append((amount if name == IN else amount.copy_negate(), named))
    if len(found) == 1:
        return found[0]
    if found:
        problems.append(
            (IN, f"{came} / {went}", f"and {OUT} are both filled: one of them must be blank or 0")
        )
        return None, frozenset()
    if came or went:
        return Decimal(0), frozenset()
    problems.append((IN, None, f"and {OUT} are both missing"))
    return None, frozenset()


def _one_amount(
    name: str, value: object, style: Style, currency: str, currencies: Currencies, problems: list[Problem]
) -> tuple[Decimal | None, frozenset[str]]:
    try:
        if isinstance(value, Decimal):
            return parse_amount(str(value)), frozenset()
        if isinstance(value, UnreadableCell):
            raise ValueError(value.reason)  # noqa: TRY004, TRY301 - worded as every other reason
        text = written_amounts.clean(str(value))
        if not text:
            raise ValueError("is missing")  # noqa: TRY301
        found = style.amounts.read(text, currencies.digits, currency or None)
        if found.currencies and currency and currency not in found.currencies:
            raise ValueError(f"is written in {found.mark}, and the currency is {currency}")  # noqa: TRY301
    except ValueError as error:
        problems.append((name, value, str(error)))
        return None, frozenset()
    return found.value, found.currencies


def _written_date(
    value: object, style: Style, problems: list[Problem]
) -> tuple[date | None, datetime | None]:
    """The day as written, or the instant where the ledger writes a zone; never both."""
    try:
        if isinstance(value, str):
            text = written_dates.clean(value)
            if not text:
                raise ValueError("is missing")  # noqa: TRY301
            day, at = style.dates.read(text)
        else:
            day, at = _typed_date(value)
    except ValueError as error:
        problems.append(("date", value, str(error)))
        return None, None
    return (day, None) if at is None else (None, at)


def _typed_date(value: object) -> tuple[date, datetime | None]:
    """A real date or time of a workbook, a Parquet file or a database."""
    if isinstance(value, UnreadableCell):
        raise ValueError(value.reason)  # noqa: TRY004 - a value of the data, worded for its quarantine
    assert isinstance(value, date)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    if not isinstance(value, datetime):
        return value, None
    return value.date(), None if value.tzinfo is None else value.astimezone(UTC)
