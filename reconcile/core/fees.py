"""The fees that KS Pay's gateways keep, as `[[fees]]` of reconcile.toml states them.

A fee is a percentage of the amount and a fixed amount, and a tax on both. It holds for one payment method and currency,
from a day on until the next fee of the same two begins. What is expected of a payment is worked out in SQL
(`sql/match/policy/known_records.sql`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from reconcile.core.money import Currencies, currency_code, parse_amount

MOST_PERCENT = Decimal(50)
"""A fee of more than half of an amount is taken for a mistake."""

_KEYS = ("payment_method", "currency", "from", "percent", "fixed", "tax")


@dataclass(frozen=True, slots=True)
class Fee:
    """One fee. What it is worked out from is exact; the fee of a payment is rounded once, at its end."""

    payment_method: str | None
    """As KS Pay writes it (`paymentType`), whatever its case; None: every one that has no fee of its own."""
    currency: str
    first_day: date
    """The first business date that it holds for; `date.min` where it always did."""
    percent: Decimal = Decimal(0)
    fixed: Decimal = Decimal(0)
    """In the major unit of the currency."""
    tax: Decimal = Decimal(0)
    """In percent of the fee."""

    @property
    def share(self) -> Decimal:
        """What is kept of an amount of 1, with the tax: 0.0236."""
        return self.percent * self._with_tax / 10_000

    @property
    def fixed_with_tax(self) -> Decimal:
        """What is kept of every payment beside that, with the tax."""
        return self.fixed * self._with_tax / 100

    @property
    def _with_tax(self) -> Decimal:
        return 100 + self.tax

    @property
    def name(self) -> str:
        """`CARD INR from 2026-07-01`, as reports and errors name it."""
        begins = "" if self.first_day == date.min else f" from {self.first_day}"
        return f"{self.payment_method or 'any other payment method'} {self.currency}{begins}"

    def __str__(self) -> str:
        parts = [f"{self.percent:f} %"] if self.percent or not self.fixed else []
        if self.fixed:
            parts.append(f"{self.fixed:f} {self.currency}")
        return " + ".join(parts) + (f", and {self.tax:f} % tax on it" if self.tax else "")


def folded(payment_method: str) -> str:
    """A payment method as methods are compared: without the case of ASCII letters, and blanks around."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in payment_method.strip())


def read_fees(tables: object, currencies: Currencies) -> tuple[Fee, ...]:
    """The fees of reconcile.toml: one table, or a list of them.

    Raises ValueError that names the fee and says what is wrong with it.
    """
    if isinstance(tables, dict):
        tables = [tables]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("fees must be written as [[fees]]")
    fees: list[Fee] = []
    for number, table in enumerate(tables, 1):
        try:
            fee = _fee(table, currencies)
        except ValueError as error:
            raise ValueError(f"[[fees]] number {number}: {error}") from None
        for other, earlier in enumerate(fees, 1):
            if _place(fee) == _place(earlier):
                raise ValueError(
                    f"[[fees]] number {other} and number {number} are both for {fee.name}: keep one, or give the later "
                    "one its first day, `from`"
                )
        fees.append(fee)
    return tuple(fees)


def _place(fee: Fee) -> tuple[str | None, str, date]:
    return fee.payment_method and folded(fee.payment_method), fee.currency, fee.first_day


def _fee(table: Mapping[str, Any], currencies: Currencies) -> Fee:
    for key in table:
        if key not in _KEYS:
            raise ValueError(f"{key!r} is not a known key (known: {', '.join(_KEYS)})")
    method = table.get("payment_method")
    if method is not None and not (isinstance(method, str) and method.strip()):
        raise ValueError(
            "payment_method must be a text, such as CARD; without it, the fee is that of all others"
        )
    currency = table.get("currency")
    if not isinstance(currency, str) or not currency.strip():
        raise ValueError("currency must be given, such as INR")
    if currency_code(currency) not in currencies.digits:
        raise ValueError(f"{currency!r} is not a known currency")
    if "percent" not in table and "fixed" not in table:
        raise ValueError("percent or fixed must be given")
    return Fee(
        method.strip() if method else None,
        currency_code(currency),
        _day(table.get("from")),
        percent=_number(table, "percent", MOST_PERCENT),
        fixed=_number(table, "fixed", None),
        tax=_number(table, "tax", Decimal(100)),
    )


def _number(table: Mapping[str, Any], key: str, most: Decimal | None) -> Decimal:
    value = table.get(key, 0)
    try:
        number = parse_amount(str(value))
    except ValueError as error:
        raise ValueError(f"{key} {str(value)!r} {error}") from None
    if number < 0:
        raise ValueError(f"{key} {value} is negative")
    if most is not None and number > most:
        raise ValueError(f"{key} {value} is more than {most}: write 2 for 2 %")
    return number


def _day(value: object) -> date:
    if value is None:
        return date.min
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("from must be a day, such as 2026-07-01")
