"""The fees that KS Pay's gateways keep, as `[[fees]]` of reconcile.toml states them.

A fee is a percentage of the amount and a fixed amount, and a tax on both. It holds for one payment method and currency,
from a day on until the next fee of the same two begins. What is expected of a payment is worked out in SQL
(`sql/match/policy/known_records.sql`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from itertools import combinations
from typing import Any, TypeVar

from reconcile.core.money import Currencies, currency_code, parse_amount

MOST_PERCENT = Decimal(50)
"""A fee of more than half of an amount is taken for a mistake."""

FEW = 10
"""The least number of matches that must show an agreement that no setting states; half of all matches must, too."""

_STEPS = 10_000
"""An agreement is looked for in steps of 0.01 %."""
_MOST_RATE = int(MOST_PERCENT * _STEPS / 100)
"""What the settings would refuse is not proposed."""
_MOST_STEPS = 20
"""Where an amount is so small that more percentages give one fee, it shows none of them."""

_MOST_PAYMENTS = 60
"""Number of payments, over all amounts, that are compared with each other for a percentage with a fixed amount."""
_BEST = 8
"""Number of what they show most often that is counted in all payments."""

_Units = tuple[int, int]
"""Two amounts in the minor unit, or a percentage in steps and such an amount."""
_Rate = TypeVar("_Rate", int, Decimal, _Units)
_KEYS = ("payment_method", "currency", "from", "percent", "fixed", "tax")


@dataclass(frozen=True, slots=True)
class Fee:
    """One fee. What it is worked out from is exact; the fee of a payment is rounded once, at its end."""

    payment_method: str | None
    """As KS Pay writes it (`paymentType`), in any case; None: every method without a fee of its own."""
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


@dataclass(frozen=True, slots=True)
class LikelyFee:
    """A fee that the data show and that no setting states."""

    payment_method: str | None
    currency: str
    percent: Decimal | None
    fixed: Decimal | None
    """One of the two or both, as in `Fee`."""
    matches: int
    """In so many of these matches the ledger is below KS Pay by just this fee."""
    of: int

    def __str__(self) -> str:
        percent = f"{self.percent:f} %" if self.percent is not None else ""
        fixed = f"{self.fixed:f} {self.currency}" if self.fixed is not None else ""
        below = " + ".join(filter(None, (percent, fixed)))
        method = f"{self.payment_method} " if self.payment_method else ""
        # A text of JSON is one of TOML, whatever quotes it holds.
        named = (
            f"payment_method = {json.dumps(self.payment_method, ensure_ascii=False)}, "
            if self.payment_method
            else ""
        )
        named += f'currency = "{self.currency}"'
        if self.percent is not None:
            named += f", percent = {self.percent:f}"
        if self.fixed is not None:
            named += f", fixed = {self.fixed:f}"
        seen = f"{self.matches:,} of {self.of:,} {method}matches in {self.currency}"
        return (
            f"the ledger is {below} below KS Pay in {seen}: "
            f"if these are fees, write [[fees]] into reconcile.toml, with {named}"
        )


Kept = tuple[str | None, str, Decimal, Decimal, int]
"""Payment method, currency, the amount at KS Pay, by how much the ledger is below it, and in how many matches."""


def likely_fees(
    kept: Iterable[Kept], of: Mapping[tuple[str | None, str], int], currencies: Currencies
) -> list[LikelyFee]:
    """The agreements that the differences show: of each payment method and currency the one that most matches show.

    `of` is the number of all matches of a payment method and currency, without a difference too. A percentage with a
    fixed amount is taken only where it explains a tenth more than one of them alone: two numbers fit more by chance.
    """
    steps: dict[tuple[str | None, str], Counter[int]] = {key: Counter() for key in of}
    fixed: dict[tuple[str | None, str], Counter[Decimal]] = {key: Counter() for key in of}
    units: dict[tuple[str | None, str], Counter[_Units]] = {key: Counter() for key in of}
    for method, currency, amount, less, matches in kept:
        half = Decimal(1).scaleb(-currencies.digits.get(currency, 0)) / 2
        # Every percentage of which the amount gives this fee, rounded half up.
        lowest, end = (
            int((bound * _STEPS / amount).to_integral_value(ROUND_CEILING))
            for bound in (less - half, less + half)
        )
        if end - lowest <= _MOST_STEPS:
            steps[method, currency].update(
                dict.fromkeys(range(max(lowest, 1), min(end, _MOST_RATE + 1)), matches)
            )
        fixed[method, currency][less.normalize()] += matches
        whole = amount / (2 * half), less / (2 * half)
        if all(number == int(number) for number in whole):
            units[method, currency][int(whole[0]), int(whole[1])] += matches
    found = []
    for (method, currency), every in sorted(of.items(), key=lambda pair: (pair[0][1], pair[0][0] or "")):
        rate, by_rate = _most(steps[method, currency])
        same, by_amount = _most(fixed[method, currency])
        percent = Decimal(rate) / 100 if rate is not None and by_rate >= by_amount else None
        each = Decimal(f"{same:f}") if percent is None and same is not None else None
        matches = max(by_rate, by_amount)
        both, by_both = _rate_and_fixed(units[method, currency])
        if both is not None and 10 * by_both >= 11 * matches:
            percent, matches = Decimal(both[0]) / 100, by_both
            each = Decimal(both[1]).scaleb(-currencies.digits.get(currency, 0)).normalize()
            each = Decimal(f"{each:f}")
        if matches >= max(FEW, (every + 1) // 2):
            found.append(LikelyFee(method, currency, percent, each, matches, every))
    return found


def _rate_and_fixed(kept: Counter[_Units]) -> tuple[_Units | None, int]:
    """The percentage, in steps, and the fixed amount that explain most matches together, and how many.

    Two payments that were charged the same show the percentage: it is what their fees differ by. So pairs of payments,
    spread over all amounts, vote for both numbers, and the numbers with the most votes are counted in all of them.
    """
    rows = sorted(kept)
    if len(rows) > _MOST_PAYMENTS:
        rows = [rows[number * (len(rows) - 1) // (_MOST_PAYMENTS - 1)] for number in range(_MOST_PAYMENTS)]
    votes = Counter[_Units]()
    for (amount, less), (larger, more) in combinations(rows, 2):
        if larger > amount:
            # Each fee was rounded, so that they differ by less than one unit more or less.
            below, highest = ((more - less + unit) * _STEPS // (larger - amount) for unit in (-1, 1))
            if highest - below <= _MOST_STEPS:
                for rate in range(max(below, 0) + 1, min(highest, _MOST_RATE) + 1):
                    fixed = less - _rounded(amount, rate)
                    votes[rate, fixed] += fixed > 0 and fixed == more - _rounded(larger, rate)
    best: Counter[_Units] = Counter()
    for (rate, fixed), _ in sorted(votes.items(), key=lambda pair: (-pair[1], pair[0]))[:_BEST]:
        best[rate, fixed] = sum(
            matches for (amount, less), matches in kept.items() if less - _rounded(amount, rate) == fixed > 0
        )
    return _most(best)


def _rounded(amount: int, rate: int) -> int:
    """So many steps of an amount, rounded half up."""
    return (2 * amount * rate + _STEPS) // (2 * _STEPS)


def _most(counted: Counter[_Rate]) -> tuple[_Rate | None, int]:
    """What was counted most often, the lowest of several; None if nothing was counted."""
    return min(counted.items(), key=lambda pair: (-pair[1], pair[0]), default=(None, 0))
