"""Stage 2: raw rows become typed records, or rejections that say where and why. Pure: no file, no clock.

Here is decided whether a record *can* be typed without guessing; whether it *may* be used (is its
currency known, has its amount too many decimals) is judged in `reconcile.validate.validator`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from reconcile.core.money import Currencies, currency_code, parse_amount
from reconcile.core.records import SPOILT, Entry, RawRow, Rejection, Side, Transaction
from reconcile.core.rejections import Problem, rejection
from reconcile.ledger import amounts as written_amounts
from reconcile.ledger import dates as written_dates
from reconcile.ledger.columns import Style
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR, parse_iso
from reconcile.ledger.file import BROKEN
from reconcile.ledger.profile import IN, OUT
from reconcile.ledger.table import UnreadableCell

MAX_KEY = 500
"""Characters of an id or a reference. Longer ones are mistakes, and would not fit into an index of
Postgres (2,704 bytes an entry; a character takes up to 4)."""

MAX_TEXT = 10_000
"""Characters of a status or a description."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LINE_BREAK = re.compile("[\r\n\t]")
_USUAL_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,8})?", re.ASCII)
_TOTALS = re.compile(
    r"(?:grand |sub)? ?totals?\b|(?:opening|closing) balance\b|carried over\b", re.IGNORECASE
)

_TEXTS = (
    "id", "appId", "currencyCode", "referenceNumber", "status", "providerOrderId", "providerTxnId", "paymentType",
    "providerName", "providerStatus",
)  # fmt: skip
_IN_ORDER = ("id", "appId", "currencyCode", "currencyId", "amount", "createdAt", "updatedAt", *_TEXTS[3:])
"""The fields of a transaction as a rejection names them."""


def transactions(
    rows: Iterable[RawRow], *, app_id: str, currencies: Currencies, currency_codes: Mapping[str, str]
) -> Iterator[Transaction | Rejection]:
    """Type KS Pay's records (`GET /transaction`). `currency_codes` maps `currencyId` to code, from
    `GET /currencies`.

    One value comes out for every row that goes in.
    """
    for row in rows:
        yield _transaction(row, app_id, currencies, currency_codes)


def entries(
    rows: Iterable[RawRow],
    *,
    app_id: str,
    source: str,
    default_currency: str | None,
    currencies: Currencies,
    app_ids: frozenset[str] = frozenset(),
    style: Style = Style(),  # noqa: B008 - it is immutable
) -> Iterator[Entry | Rejection]:
    """Type a ledger's rows. `app_ids` are the apps that an `app_id` column may name besides `app_id`; `style` is how
    its dates and amounts are written.

    One value comes out for every row that goes in.
    """
    for row in rows:
        yield _entry(row, app_id, source, default_currency, currencies, app_ids, style)


def _transaction(
    row: RawRow, app_id: str, currencies: Currencies, currency_codes: Mapping[str, str]
) -> Transaction | Rejection:
    values = row.values
    problems: list[Problem] = []
    texts = _careful_texts(values, problems)
    transaction_id = texts[0] or ""
    owner = texts[1]
    if owner is not None and owner != app_id:
        problems.append(("appId", owner, f"names another app than {app_id}, which was asked for"))
    currency = _currency(values, currency_codes, problems)
    amount = _wire_amount(values.get("amount"), problems)
    created_at = _instant("createdAt", values.get("createdAt"), problems)
    if values.get("createdAt") is None:
        problems.append(("createdAt", None, "is missing"))
    updated = values.get("updatedAt")
    blank = isinstance(updated, str) and not updated.strip()  # is none, as of any text
    updated_at = _instant("updatedAt", None if blank else updated, problems)
    spoilt: tuple[Problem, ...] = values.get(SPOILT, ())
    if spoilt or problems or amount is None or created_at is None:
        named = {field for field, _, _ in spoilt}
        problems.sort(key=lambda problem: _IN_ORDER.index(problem[0]))
        return rejection(
            [*spoilt, *(problem for problem in problems if problem[0] not in named)],
            side=Side.KSPAY,
            app_id=app_id,
            source="kspay",
            record_id=None if "id" in named else transaction_id,
            place=row.place,
            record={name: value for name, value in values.items() if name != "signature"},
            currency=currency if currency in currencies.digits else None,
            dated_at=created_at,
        )
    return Transaction(
        app_id=app_id,
        transaction_id=transaction_id,
        reference=texts[3],
        currency=currency,
        amount=amount,
        status=(texts[4] or "").strip(),
        created_at=created_at,
        updated_at=updated_at,
        provider_order_id=texts[5],
        provider_txn_id=texts[6],
        payment_type=texts[7],
        provider_name=texts[8],
        provider_status=texts[9],
        place=row.place,
    )


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
        return _text(name, value, MAX_KEY, problems)

    ledger_id = (key("ledger_id") or "").strip()
    named_app = key("app_id")
    owner = (named_app or app_id).strip()
    if several_apps and named_app is None and not _names(problems, "app_id"):
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
    if not currency and not _names(problems, "currency"):
        problems.append(("currency", values.get("currency"), "is missing: write its ISO 4217 code"))
    dated_on, dated_at = _written_date(values.get("date") or "", style, problems)
    reference = key("reference")
    status = (_text("status", values.get("status"), MAX_TEXT, problems) or "").strip()
    transaction_id = key("transaction_id")
    provider_order_id = key("provider_order_id")
    provider_txn_id = key("provider_txn_id")
    description = _text("description", values.get("description"), MAX_TEXT, problems)
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
    """An entry as nearly all are written: short plain ASCII texts, an ISO day, an amount with a point. Four times
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


def _careful_texts(values: Mapping[str, Any], problems: list[Problem]) -> list[str | None]:
    """The values of `_TEXTS`, one by one; the currency's code is left to `_currency`, None here."""
    texts: list[str | None] = []
    for name in _TEXTS:
        value = values.get(name)
        if name == "referenceNumber":
            value = _number_as_text(value)
        limit = MAX_TEXT if name == "status" else MAX_KEY
        texts.append(None if name == "currencyCode" else _text(name, value, limit, problems))
    return texts


def _text(name: str, value: object, limit: int, problems: list[Problem]) -> str | None:
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
        problems.append((name, value, f"has {len(value)} characters where {limit} are the most"))
    elif _UNSTORABLE.search(value):
        problems.append(
            (name, value, "holds a character that is no text (a NUL, or a byte of another encoding)")
        )
    elif value.strip():
        return value
    return None


def _number_as_text(value: object) -> object:
    """A reference that is sent as a JSON number, digit for digit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(Decimal(value))  # str(int) refuses more than 4,300 digits
    return str(value) if isinstance(value, Decimal) else value


def _currency(values: Mapping[str, Any], currency_codes: Mapping[str, str], problems: list[Problem]) -> str:
    code = _text("currencyCode", values.get("currencyCode"), MAX_KEY, problems)
    if code is not None:
        return currency_code(code)
    if _names(problems, "currencyCode"):
        return ""
    currency_id = _text("currencyId", values.get("currencyId"), MAX_KEY, problems)
    if currency_id is not None:
        found = currency_codes.get(currency_id)
        if found is not None:
            return currency_code(found)
        problems.append(("currencyId", currency_id, "is not among the currencies that KS Pay lists"))
    elif not _names(problems, "currencyId"):
        problems.append(("currencyCode", None, "is missing, and so is currencyId"))
    return ""


def _wire_amount(value: object, problems: list[Problem]) -> Decimal | None:
    if type(value) is str and _USUAL_AMOUNT.fullmatch(value):
        return Decimal(value) or Decimal(0)
    if value is None:
        problems.append(("amount", None, "is missing"))
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        problems.append(("amount", value, "is neither a text nor an exact number"))
        return None
    # Decimal first: str(int) refuses more than 4,300 digits.
    written = str(Decimal(value)) if isinstance(value, int) else str(value)
    return _parsed(written, problems)


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


def _parsed(number: str, problems: list[Problem]) -> Decimal | None:
    try:
        return parse_amount(number)
    except ValueError as error:
        problems.append(("amount", number, str(error)))
        return None


def _instant(name: str, value: object, problems: list[Problem]) -> datetime | None:
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
        problems.append((name, value, "has no time with a zone"))
        return None
    problems.append((name, value, "is not an ISO 8601 text"))
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


def _names(problems: list[Problem], field: str) -> bool:
    return any(problem[0] == field for problem in problems)
