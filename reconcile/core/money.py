"""Amounts: exact decimals in the major unit of a currency (12.50 INR, never 1250 paise).

No amount is ever a binary float, from the JSON of KS Pay to the cell of a report, and none is without its currency.
The number of decimals of a currency comes from ISO 4217 (the `iso4217` package), and for other currencies from the
`[currencies]` table of reconcile.toml.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cache
from types import MappingProxyType

from iso4217 import Currency

from reconcile.core.errors import UsageError

MAX_INTEGER_DIGITS = 30
"""Digits before the point, at most; more are taken for a mistake."""

MAX_DECIMALS = 30
"""Decimals, at most; more are refused before any arithmetic, because 1e-999999 would exhaust the memory."""

UNKNOWN_DIGITS = -1
"""Stands for the decimals of a currency that is not known."""

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_EXACT = Context(prec=MAX_INTEGER_DIGITS + MAX_DECIMALS, traps=[Inexact, InvalidOperation])


def parse_amount(text: str) -> Decimal:
    """The exact value of a decimal such as `11`, `-3.50` or `1e3`.

    Raises ValueError, worded for a quarantine reason, for anything else: words, NaN, infinities,
    thousands separators, digits of other scripts, and values too large or too small to be money.
    """
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        raise ValueError("is not a number")
    value = Decimal(text)
    if value.is_zero():
        return Decimal(0)
    if value.adjusted() >= MAX_INTEGER_DIGITS:
        raise ValueError(f"has more than {MAX_INTEGER_DIGITS} digits before the point")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if -exponent > MAX_DECIMALS:
        raise ValueError(f"has more than {MAX_DECIMALS} decimals")
    return value


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of amounts of one currency (`sum` would round to 28 digits). 0 without amounts.

    Raises decimal.Inexact beyond 60 digits.
    """
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def grouped(plain: str, currency: str) -> str:
    """A decimal with its digits grouped for reading; rupees in lakhs and crores, `12,34,567.00`."""
    whole, point, minor = plain.lstrip("-").partition(".")
    head, tail = (whole[:-3], whole[-3:]) if currency == "INR" else ("", whole)
    if head:
        first = len(head) % 2
        pairs = [head[:first], *(head[at : at + 2] for at in range(first, len(head), 2))]
        digits = ",".join([*filter(None, pairs), tail])
    else:
        digits = f"{int(tail):,}"
    return f"{'-' if plain.startswith('-') else ''}{digits}{point}{minor}"


def currency_code(text: str) -> str:
    """The currency code in capitals; only for ASCII, because some other letters have ASCII capitals."""
    text = text.strip()
    return text.upper() if text.isascii() else text


def decimals(value: Decimal) -> int:
    """The number of decimals that a finite value needs: 1 for 1.50, 0 for 12."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if exponent >= 0 or value.is_zero():
        return 0
    if digits[-1]:
        return -exponent
    exponent = value.normalize(_EXACT).as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


@cache
def _iso_digits() -> Mapping[str, int]:
    # Metals and test codes (XAU, XXX) have no minor unit in ISO 4217: no amount can be checked in them.
    found = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class Currencies:
    """The known currencies: code → number of decimals of the minor unit (INR 2, JPY 0, KWD 3)."""

    digits: Mapping[str, int] = field(default_factory=_iso_digits)

    @classmethod
    def with_extra(cls, extra: Mapping[str, int]) -> "Currencies":
        """ISO 4217 and the merchant's own currencies (`USDT = 6`).

        Raises ValueError if those give a currency of ISO 4217 other decimals.
        """
        known = _iso_digits()
        for code, digits in extra.items():
            if known.get(code, digits) != digits:
                raise ValueError(
                    f"{code} has {known[code]} decimals by ISO 4217 and cannot have {digits}: remove it, since only "
                    "currencies that ISO 4217 lacks belong here"
                )
        return cls(MappingProxyType({**known, **extra}))

    def format(self, amount: Decimal, currency: str) -> str:
        """A plain decimal with exactly the currency's minor digits: `1250.00`, never `1.25E+3`.

        Raises UsageError if the currency is unknown or has fewer decimals than the amount: such a record was
        quarantined, unless `[currencies]` said otherwise when it came.
        """
        try:
            return f"{amount.quantize(Decimal(1).scaleb(-self.digits[currency]), context=_EXACT):f}"
        except KeyError:
            raise self.unknown(currency) from None
        except Inexact:
            raise UsageError(
                f"{currency} has {self.digits[currency]} decimals, but there are records with more, from when "
                "reconcile.toml gave it more: put that back into [currencies]"
            ) from None

    def written(self, amount: Decimal, currency: str | None) -> str:
        """`format`, or a plain decimal without zeros at its end where it has no currency, or none that is known.

        Records that cannot be used may have such a currency; they add nothing to any sum.
        """
        if currency is None or currency not in self.digits:
            return f"{amount.normalize(_EXACT):f}"
        return self.format(amount, currency)

    def unknown(self, currency: str) -> UsageError:
        """The error for records with a currency that the settings no longer have."""
        return UsageError(
            f"{currency} is not a known currency, but there are records with it from when reconcile.toml named it: put "
            "it back into [currencies]"
        )


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The most by which two amounts may differ and still count as equal.

    `fixed` is in major units, `percent` in hundredths of the KS Pay amount; one of them is zero.
    """

    fixed: Decimal = Decimal(0)
    percent: Decimal = Decimal(0)

    def __str__(self) -> str:
        return f"{self.percent:f}%" if self.percent else f"{self.fixed:f}"


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The tolerance of every currency: the named ones, else the default."""

    default: Tolerance = Tolerance()
    named: Mapping[str, Tolerance] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it is written in the settings."""
        return ",".join(f"{code}={tolerance}" for code, tolerance in sorted(self.named.items())) or str(
            self.default
        )

    @classmethod
    def parse(cls, text: str, currencies: Currencies) -> "Tolerances":
        """Read `1.50`, `0.5%` or `INR=1,KWD=0.01` (where currencies not named have no tolerance).

        Raises ValueError that says which part is wrong.
        """
        if "=" not in text:
            return cls(default=_tolerance(text))
        named: dict[str, Tolerance] = {}
        for part in text.split(","):
            code, _, value = part.partition("=")
            code = code.strip().upper()
            if code not in currencies.digits:
                raise ValueError(f"{code or part.strip()!r} is not a known currency")
            if code in named:
                raise ValueError(f"{code} is named twice")
            named[code] = _tolerance(value)
        return cls(named=named)


def read_limits(text: str, currencies: Currencies) -> Mapping[str, Decimal]:
    """Read `INR=10000,USD=150`: an amount for each currency. Raises ValueError that says which part is wrong."""
    if not text.strip():
        return {}
    if "=" not in text or "%" in text:
        raise ValueError(f"{text.strip()!r} is no amount with its currency, such as INR=10000")
    return {code: tolerance.fixed for code, tolerance in Tolerances.parse(text, currencies).named.items()}


def _tolerance(text: str) -> Tolerance:
    text = text.strip()
    number = text.removesuffix("%")
    try:
        value = parse_amount(number)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}") from None
    if value < 0:
        raise ValueError(f"{text!r} is negative")
    return Tolerance(percent=value) if text.endswith("%") else Tolerance(fixed=value)
