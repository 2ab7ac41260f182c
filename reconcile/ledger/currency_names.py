"""Currencies as people write them: `₹`, `US$`, `Indian Rupee`, `INR (₹)`, `356`. A sign of several currencies is
narrowed by what stands beside it, and never guessed."""

import re
from collections.abc import Iterable, Mapping

from iso4217 import Currency

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
    "rupee": frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"}),
    "rupees": frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"}),
    "dollar": _DOLLARS,
    "dollars": _DOLLARS,
    "pound": frozenset({"GBP", "EGP", "FKP", "GIP", "SHP", "SYP", "LBP", "SSP", "SDG"}),
    "pounds": frozenset({"GBP", "EGP", "FKP", "GIP", "SHP", "SYP", "LBP", "SSP", "SDG"}),
    "dirhams": frozenset({"AED", "MAD"}),
    "dhs": frozenset({"AED"}),
    "د.إ": frozenset({"AED"}),
    "ر.س": frozenset({"SAR"}),
    "﷼": frozenset({"IRR", "SAR", "QAR", "OMR", "YER"}),
    "nt$": frozenset({"TWD"}),
    "ca$": frozenset({"CAD"}),
    "au$": frozenset({"AUD"}),
    "sg$": frozenset({"SGD"}),
    "mx$": frozenset({"MXN"}),
    "fr": frozenset({"CHF", "XAF", "XOF", "XPF"}),
    "sfr": frozenset({"CHF"}),
    "lei": frozenset({"RON", "MDL"}),
    "zl": frozenset({"PLN"}),
    "kc": frozenset({"CZK"}),
    "tl": frozenset({"TRY"}),
    "руб": frozenset({"RUB"}),
    "р": frozenset({"RUB"}),
    "грн": frozenset({"UAH"}),
    "лв": frozenset({"BGN"}),
    "ksh": frozenset({"KES"}),
    "tsh": frozenset({"TZS"}),
    "ush": frozenset({"UGX"}),
    "円": frozenset({"JPY"}),
    "元": frozenset({"CNY", "TWD", "HKD"}),
    "원": frozenset({"KRW"}),
    "₸": frozenset({"KZT"}),
    "₾": frozenset({"GEL"}),
    "₼": frozenset({"AZN"}),
    "֏": frozenset({"AMD"}),
    "₵": frozenset({"GHS"}),
    "₡": frozenset({"CRC"}),
    "₲": frozenset({"PYG"}),
    "₮": frozenset({"MNT"}),
    "៛": frozenset({"KHR"}),
    "yuan": frozenset({"CNY"}),
    "re": frozenset({"INR", "PKR", "LKR", "NPR", "MUR", "SCR"}),
    "sr": frozenset({"SAR", "SCR"}),
    "kd": frozenset({"KWD"}),
    "bd": frozenset({"BHD"}),
    "ro": frozenset({"OMR"}),
    "qr": frozenset({"QAR"}),
    "د.ك": frozenset({"KWD"}),
    "د.ب": frozenset({"BHD"}),
    "ر.ع": frozenset({"OMR"}),
    "ر.ق": frozenset({"QAR"}),
    "ريال": frozenset({"IRR", "SAR", "QAR", "OMR", "YER"}),
    "درهم": frozenset({"AED", "MAD"}),
    "jp¥": frozenset({"JPY"}),
    "cn¥": frozenset({"CNY"}),
    "￦": frozenset({"KRW"}),
    "r": frozenset({"ZAR"}),
    "đ": frozenset({"VND"}),
    "vnđ": frozenset({"VND"}),
}
"""What a currency's sign may mean; the ISO 4217 codes themselves are understood too."""

_USUALLY = {CURRENCY_SYMBOLS["rs"]: "INR", CURRENCY_SYMBOLS["£"]: "GBP"}
"""What a sign of several currencies means by default: what most users of KS Pay mean by it."""

_NAMES: Mapping[str, str] = {
    **{currency.currency_name.casefold(): currency.code for currency in Currency if currency.exponent is not None},
    **{f"{currency.number:03}": currency.code for currency in Currency if currency.exponent is not None},
    "sterling": "GBP", "british pound": "GBP", "renminbi": "CNY", "rmb": "CNY", "chinese yuan": "CNY",
    "japanese yen": "JPY", "u.s. dollar": "USD", "united states dollar": "USD", "emirati dirham": "AED",
}  # fmt: skip
"""The names and numbers of ISO 4217, and a few that people use instead; none that means two currencies."""

_PARTS = re.compile(r"[()\[\]{}/|,:;]+|\s[-\u2013\u2014]\s")


def currencies_of(mark: str, codes: Mapping[str, int]) -> frozenset[str]:
    """The currencies that a sign, a code or a name may mean; none if it is not one of these."""
    word = mark.strip().rstrip(".").casefold()
    if word.upper() in codes:
        return frozenset({word.upper()})
    if word in CURRENCY_SYMBOLS:
        return CURRENCY_SYMBOLS[word]
    name = " ".join(word.split())
    for form in (name, name.removesuffix("s")):
        if form in _NAMES and _NAMES[form] in codes:
            return frozenset({_NAMES[form]})
    return frozenset()


def named(text: str, codes: Mapping[str, int]) -> frozenset[str]:
    """What several words and signs mean together, `INR (₹)`: each must be understood, and all must agree.

    Raises ValueError, worded for a quarantine reason, where they contradict each other.
    """
    if found := currencies_of(text, codes):
        return found
    parts = [part for part in _PARTS.split(text) if part.strip()]
    if len(parts) < 2:
        parts = text.split()
    meanings = [currencies_of(part, codes) for part in parts]
    if not meanings or not all(meanings):
        return frozenset()
    common = frozenset.intersection(*meanings)
    if not common:
        raise ValueError("names two currencies")
    return common


def settled(meanings: frozenset[str], known: Iterable[str]) -> str:
    """Which of several currencies is meant, where these are `known` from elsewhere in the ledger; "" if nobody can
    know. `Rs.` beside INR is INR; alone it usually is too, and `$` alone may be any dollar."""
    among = meanings & set(known)
    if len(meanings) == 1 or len(among) == 1:
        return next(iter(among or meanings))
    return "" if among else _USUALLY.get(meanings, "")
