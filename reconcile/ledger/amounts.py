"""Amounts as ledgers write them: `1,23,456.78`, `1.250,00 €`, `(₹ 500)`, `500-`. Exact to any length.

A text that can be only one number is that number. `1,250` may be 1250 or 1.25: the other amounts of the column
decide, and if they do not, the amount is not read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from reconcile.core.money import parse_amount

USUAL = re.compile(r"-?\d{1,15}(?:\.\d{1,2})?", re.ASCII)
"""Nearly every amount is written like this, and can be only one number."""

_SCIENTIFIC = re.compile(r"[+-]?[\d.,]+[eE][+-]?\d+", re.ASCII)
_SIDES = re.compile(r".*\d\W*(?:dr|cr)\.?", re.ASCII | re.IGNORECASE | re.DOTALL)
_WHOLE = re.compile(
    r"(?P<open>\()?(?P<before>(?:[^\d.,()]|(?<=[A-Za-z])\.)*)(?P<body>[.,]?\d[\d., ']*)"
    r"(?P<after>[^\d()]*)(?P<close>\))?",
    re.ASCII,
)
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_SIGN = re.compile("[-+\u2212\u2013]")

_ADVICE = "is not a number: write it with a decimal point (1250.00)"

_DOLLARS = frozenset(
    ("USD", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "FJD", "GYD", "HKD", "JMD", "KYD", "LRD", "NAD", "NZD",
     "SBD", "SGD", "SRD", "TTD", "TWD", "XCD", "ZWG", "MXN", "CLP", "COP", "ARS")
)  # fmt: skip
CURRENCY_SYMBOLS: Mapping[str, frozenset[str]] = {
    "₹": frozenset({"INR"}),
    "rs": frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP", "EGP", "FKP", "GIP", "SHP", "SYP", "LBP", "SSP", "SDG"}),
    "$": _DOLLARS,
    "us$": frozenset({"USD"}),
    "a$": frozenset({"AUD"}),
    "c$": frozenset({"CAD"}),
    "hk$": frozenset({"HKD"}),
    "s$": frozenset({"SGD"}),
    "nz$": frozenset({"NZD"}),
    "r$": frozenset({"BRL"}),
    "¥": frozenset({"JPY", "CNY"}),
    "￥": frozenset({"JPY", "CNY"}),
    "₩": frozenset({"KRW"}),
    "₫": frozenset({"VND"}),
    "₱": frozenset({"PHP"}),
    "฿": frozenset({"THB"}),
    "₦": frozenset({"NGN"}),
    "₺": frozenset({"TRY"}),
    "₪": frozenset({"ILS"}),
    "₽": frozenset({"RUB"}),
    "₴": frozenset({"UAH"}),
    "₨": frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"}),
    "৳": frozenset({"BDT"}),
    "kr": frozenset({"SEK", "NOK", "DKK", "ISK"}),
    "zł": frozenset({"PLN"}),
    "kč": frozenset({"CZK"}),
    "ft": frozenset({"HUF"}),
    "rm": frozenset({"MYR"}),
    "rp": frozenset({"IDR"}),
    "dh": frozenset({"AED", "MAD"}),
}
"""The currencies that a symbol may mean. ISO 4217 codes are understood too."""

_GROUP = {mark: re.escape(mark) for mark in ",. '"}


def _reading(decimal: str, thousands: str) -> re.Pattern[str]:
    """A number with this decimal mark. One of `thousands` may separate groups: of three digits, or as in India of
    three and then two digits."""
    grouped = [
        rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d?(?:{mark}\d{{2}})+{mark}\d{{3}}"
        for mark in (_GROUP[one] for one in thousands)
    ]
    whole, point = "|".join([*grouped, r"\d+"]), re.escape(decimal)
    return re.compile(rf"({whole})(?:{point}(\d*))?|(){point}(\d+)", re.ASCII)


_READINGS = {mark: _reading(mark, others) for mark, others in ((".", ", '"), (",", ". '"))}


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as read: its value, and the currencies that its symbol or code may mean (none without either)."""

    value: Decimal
    currencies: frozenset[str]
    mark: str


@dataclass(frozen=True, slots=True)
class AmountStyle:
    """How the amounts of one column are written."""

    decimal: str | None = None
    """The decimal mark, from the profile or proven by the column; None if unknown."""
    thousands: str | None = None
    """From the profile: the only mark between thousands ("": there is none); None: any that fits."""
    from_profile: bool = False
    """Whether the profile states the marks; then every amount must be written so."""

    def read(self, text: str, codes: Mapping[str, int], currency: str | None) -> Amount:
        """The amount. `codes` are the known currencies with their decimals; `currency` is the row's, None if unknown.

        Raises ValueError, worded for a quarantine reason.
        """
        if self.decimal != "," and self.thousands is None and USUAL.fullmatch(text):
            return Amount(parse_amount(text), frozenset(), "")
        body, negative, mark = _split_amount(text)
        currencies = _currencies(mark, codes)
        readings = self._readings(body)
        if not readings:
            raise ValueError(self._advice())
        if len(set(readings.values())) > 1:
            known = currency or (next(iter(currencies)) if len(currencies) == 1 else None)
            if self.decimal in readings:
                readings = {self.decimal: readings[self.decimal]}
            elif "," not in body and codes.get(known or "", 0) >= 3:
                readings = {".": readings["."]}  # 1.250 is how every program writes an amount of 3 decimals
            else:
                what = "comma" if "," in body else "point"
                raise ValueError(
                    f"may use its {what} for thousands or for decimals: write 1250.00, "
                    "or give the ledger's profile its decimal"
                )
        value = parse_amount(next(iter(readings.values())))
        return Amount(value.copy_negate() if negative and value else value, currencies, mark)

    def proves(self, text: str, codes: Mapping[str, int]) -> str | None:
        """The decimal mark that this text needs; "" if any would do, None if it is no number.

        `1,250` needs none, but means something else with each: that is `unclear`."""
        if USUAL.fullmatch(text):
            return "." if "." in text else ""
        try:
            body, _, mark = _split_amount(text)
            _currencies(mark, codes)
        except ValueError:
            return None
        readings = self._readings(body)
        if len(readings) == 1:
            return next(iter(readings))
        return "" if readings else None

    def _readings(self, body: str) -> dict[str, str]:
        """By decimal mark, the number that `body` is with it; marks with which it is no number are left out."""
        found: dict[str, str] = {}
        for mark, pattern in _READINGS.items():
            if self.from_profile and mark != self.decimal:
                continue
            if match := pattern.fullmatch(body):
                if self.thousands is not None and set(body) & set(",. '") - {mark, self.thousands}:
                    continue
                whole = "".join(filter(str.isdigit, match[1] or ""))
                decimals = match[2] or match[4] or ""
                found[mark] = f"{whole or '0'}.{decimals}" if decimals else whole
        return found

    def _advice(self) -> str:
        if self.from_profile:
            thousands = {"": "no mark", None: "any other mark"}.get(self.thousands, repr(self.thousands))
            return f"is not a number with {self.decimal!r} for decimals and {thousands} for thousands"
        return _ADVICE


def clean(text: str) -> str:
    """An amount's text without white space around it, and with single spaces within."""
    return _SPACES.sub(" ", text).strip() if not text.isalnum() else text


def _split_amount(text: str) -> tuple[str, bool, str]:
    """The digits with their marks, whether the amount is negative, and the currency's symbol or code ("": none)."""
    if _SCIENTIFIC.fullmatch(text):
        # A spreadsheet that shows 1.25E+05 has already dropped the digits that it did not show.
        raise ValueError("is not written out: format the column as a plain number (125000.00)")
    if _SIDES.fullmatch(text):
        raise ValueError(
            "names a side (Dr or Cr): map two columns, amount_in and amount_out, or write a sign"
        )
    if text.endswith("/-"):
        text = text[:-2].rstrip() + "."  # `1,250/-`, as India writes it: what stands before is whole rupees
    found = _WHOLE.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise ValueError(_ADVICE)
    around = f"{found['before']} {found['after']}"
    signs = _SIGN.findall(around) + (["-"] if found["open"] else [])
    if len(signs) > 1:
        raise ValueError("is not a number: it has two signs")
    marks = [
        word
        for word in (_SIGN.sub(" ", found["before"]).strip(), _SIGN.sub(" ", found["after"]).strip())
        if word
    ]
    if len(marks) > 1 and len({word.lower() for word in marks}) > 1:
        # `₹ 500 INR` names one currency twice; `$ 500 CAD` says which dollar it is. The code decides.
        marks.sort(key=len)
    return found["body"].rstrip(" "), bool(signs and signs[0] != "+"), marks[-1] if marks else ""


def currencies_of(mark: str, codes: Mapping[str, int]) -> frozenset[str]:
    """The currencies that a symbol or code may mean; none if it is neither."""
    word = mark.rstrip(".").lower()
    if word.upper() in codes:
        return frozenset({word.upper()})
    return CURRENCY_SYMBOLS.get(word, frozenset())


def _currencies(mark: str, codes: Mapping[str, int]) -> frozenset[str]:
    found = currencies_of(mark, codes)
    if mark and not found:
        raise ValueError(_ADVICE)
    return found


@dataclass(frozen=True, slots=True)
class AmountColumn:
    """How all amounts of a column are written."""

    style: AmountStyle
    unclear: int
    """The number of rows whose amount cannot be read without a guess."""
    example: tuple[int, str] | None
    """The first of these amounts: its row number and its text."""
    proof: Mapping[str, tuple[int, str]]
    """By decimal mark, the first amount that needs this mark: its row number and its text."""


class AmountScan:
    """Takes the amounts of a column one by one, and finds out how they are written."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        self._codes = codes
        self._style = AmountStyle()
        self._proof: dict[str, tuple[int, str]] = {}
        self._unclear = 0
        self._example: tuple[int, str] | None = None
        self.currencies: set[str] = set()
        """The currencies that amounts name by a symbol or code of one currency only."""

    def add(self, row: int, text: str, currency: str | None) -> None:
        """Add one amount; `currency` is its row's."""
        if USUAL.fullmatch(text):
            if "." in text and "." not in self._proof:
                self._proof["."] = (row, text)
            return
        text = clean(text)
        needed = self._style.proves(text, self._codes)
        if needed is None:
            return
        if needed:
            self._proof.setdefault(needed, (row, text))
        try:
            found = self._style.read(text, self._codes, currency)
        except ValueError:
            self._unclear += 1
            self._example = self._example or (row, text)
            _, _, mark = _split_amount(text)
            named = _currencies(mark, self._codes)
        else:
            named = found.currencies
        if len(named) == 1:
            self.currencies |= named

    def column(self) -> AmountColumn:
        """The result. Where amounts prove both marks, the column proves none."""
        if len(self._proof) == 1:
            return AmountColumn(AmountStyle(decimal=next(iter(self._proof))), 0, None, self._proof)
        return AmountColumn(AmountStyle(), self._unclear, self._example, self._proof)
