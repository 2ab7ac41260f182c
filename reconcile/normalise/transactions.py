"""Records of KS Pay, typed one by one: the careful normaliser of this side. Pure: no file, no clock."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from reconcile.core.money import Currencies, currency_code, parse_amount
from reconcile.core.records import TEXT_FAULTS, RawRow, Rejection, Side, Transaction
from reconcile.core.rejections import Problem, rejection
from reconcile.normalise.fields import MAX_KEY, MAX_TEXT, instant, names, sure_amount, text_of
from reconcile.normalise.normaliser import Normalised

_USUAL_AMOUNT = re.compile(r"\d{1,15}(?:\.\d{1,8})?", re.ASCII)

TEXTS = (
    "id", "appId", "currencyCode", "referenceNumber", "status", "providerOrderId", "providerTxnId", "paymentType",
    "providerName", "providerStatus",
)  # fmt: skip
_IN_ORDER = ("id", "appId", "currencyCode", "currencyId", "amount", "createdAt", "updatedAt", *TEXTS[3:])
"""The fields of a transaction as a rejection names them."""
_OF_THE_AMOUNT = {"amount", "currencyCode", "currencyId"}


@dataclass(frozen=True, slots=True)
class TransactionNormaliser:
    """Types records of `GET /transaction`, whatever they hold. A `Normaliser`."""

    app_id: str
    """The app that was asked for."""
    currencies: Currencies
    currency_codes: Mapping[str, str]
    """By `currencyId` the code, from `GET /currencies`."""

    def __call__(self, rows: Sequence[RawRow], /) -> Normalised[Transaction]:
        return Normalised.one_by_one(rows, self.typed(rows))

    def typed(self, rows: Iterable[RawRow]) -> Iterator[Transaction | Rejection]:
        """One value for every row."""
        for row in rows:
            yield _transaction(row, self.app_id, self.currencies, self.currency_codes)


def _transaction(
    row: RawRow, app_id: str, currencies: Currencies, currency_codes: Mapping[str, str]
) -> Transaction | Rejection:
    values = row.values
    problems: list[Problem] = []
    texts = _texts(values, problems)
    transaction_id = texts[0] or ""
    owner = texts[1]
    if owner is not None and owner != app_id:
        problems.append(("appId", owner, f"names another app than the requested {app_id}"))
    currency = _currency(values, currency_codes, problems)
    amount = _wire_amount(values.get("amount"), problems)
    created_at = instant("createdAt", values.get("createdAt"), problems)
    if values.get("createdAt") is None:
        problems.append(("createdAt", None, "is missing"))
    updated = values.get("updatedAt")
    blank = isinstance(updated, str) and not updated.strip()  # is none, as of any text
    updated_at = instant("updatedAt", None if blank else updated, problems)
    faults: tuple[Problem, ...] = values.get(TEXT_FAULTS, ())
    if faults or problems or amount is None or created_at is None:
        named = {field for field, _, _ in faults}
        problems.sort(key=lambda problem: _IN_ORDER.index(problem[0]))
        return rejection(
            [*faults, *(problem for problem in problems if problem[0] not in named)],
            side=Side.KSPAY,
            app_id=app_id,
            source="kspay",
            record_id=None if "id" in named else transaction_id,
            place=row.place,
            record={name: value for name, value in values.items() if name != "signature"},
            currency=currency if currency in currencies.digits else None,
            # One below zero is a fault, and one in a damaged text may be.
            amount=None
            if amount is None or amount < 0 or named & _OF_THE_AMOUNT
            else sure_amount(amount, currency, currencies),
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


def _texts(values: Mapping[str, Any], problems: list[Problem]) -> list[str | None]:
    """The values of `TEXTS`, one by one; the currency's code is left to `_currency`, None here."""
    texts: list[str | None] = []
    for name in TEXTS:
        value = values.get(name)
        if name == "referenceNumber":
            value = _number_as_text(value)
        limit = MAX_TEXT if name == "status" else MAX_KEY
        texts.append(None if name == "currencyCode" else text_of(name, value, limit, problems))
    return texts


def _number_as_text(value: object) -> object:
    """A reference that is sent as a JSON number, digit for digit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(Decimal(value))  # str(int) refuses more than 4,300 digits
    return str(value) if isinstance(value, Decimal) else value


def _currency(values: Mapping[str, Any], currency_codes: Mapping[str, str], problems: list[Problem]) -> str:
    code = text_of("currencyCode", values.get("currencyCode"), MAX_KEY, problems)
    if code is not None:
        return currency_code(code)
    if names(problems, "currencyCode"):
        return ""
    currency_id = text_of("currencyId", values.get("currencyId"), MAX_KEY, problems)
    if currency_id is not None:
        found = currency_codes.get(currency_id)
        if found is not None:
            return currency_code(found)
        problems.append(("currencyId", currency_id, "is not among the currencies that KS Pay lists"))
    elif not names(problems, "currencyId"):
        problems.append(("currencyCode", None, "is missing, and so is currencyId"))
    return ""


def _wire_amount(value: object, problems: list[Problem]) -> Decimal | None:
    if type(value) is str and _USUAL_AMOUNT.fullmatch(value):
        return Decimal(value) or Decimal(0)
    if value is None:
        problems.append(("amount", None, "is missing"))
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        problems.append(("amount", value, "is neither a text nor a number"))
        return None
    # Decimal first: str(int) refuses more than 4,300 digits.
    written = str(Decimal(value)) if isinstance(value, int) else str(value)
    return _parsed(written, problems)


def _parsed(number: str, problems: list[Problem]) -> Decimal | None:
    try:
        return parse_amount(number)
    except ValueError as error:
        problems.append(("amount", number, str(error)))
        return None
