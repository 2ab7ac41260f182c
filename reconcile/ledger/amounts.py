"""Amounts as ledgers write them: `1,23,456.78`, `1.250,00 €`, `₹(500)`, `500-`, `500,-`, `250.00 Dr`.

Exact to any length.

Like dates: a text that can be only one number is that number; `1,250`, which may be 1250 or 1.25, is decided by
the whole column, or by nobody. A word that names a side (Dr, Cr) is handed on: what it means, the profile says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from reconcile.core.money import parse_amount
from reconcile.ledger.currency_names import named
from reconcile.ledger.sides import SIDE_WORDS, SideWords, word_of
from reconcile.ledger.table import Formatted, exact, tidy, twice_decoded

USUAL = re.compile(r"-?\d{1,15}(?:\.\d{1,2})?", re.ASCII)
"""Nearly every amount is written like this, and can be only one number."""

_SCIENTIFIC = re.compile(r"[+-]?[\d.,]+[eE][+-]?\d+", re.ASCII)
_WHOLE = re.compile(
    r"(?P<before>(?:[^\d.,()]|(?<=[A-Za-z\u0400-\u06ff])\.)*)(?P<body>[.,]?\d[\d., ']*)(?P<after>[^\d()]*)",
    re.ASCII,
)
_BRACKETS = re.compile(r"(?P<before>[^()]*)\((?P<inside>[^()]*)\)(?P<after>[^()]*)")
_NO_CENTS = re.compile(r"(?<=\d) ?(?::|(?P<mark>[.,])) ?[-=]{1,2}(?![\d-])")
"""`500,-`, `500.-` and, in Sweden, `500:-`: the dash stands for the cents, and is no minus."""
_ONLY = re.compile(r"(?<=[\d\-=]) ?only\.?$", re.IGNORECASE)
"""`Rs. 500 only`, as cheques say it."""
_WHOLE_RUPEES = re.compile(r"(?<=\d)(\.\d\d)? ?/ ?[-=](?!\d)")
"""`1,250/-`, as India writes it, and `1,250/=`, as East Africa does; some write `1,250.00/-` too."""
_SPACES = re.compile(r"\s+")
_SIGN = re.compile("[-+]")
_ALIKE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2796\u02d7\ufe58\ufe63\uff0d\u207b", "-")
    | {
        "\uff0b": "+",
        "\u2795": "+",
        "\ufe62": "+",
        "\uff08": "(",
        "\uff09": ")",
        "\u2019": "'",
        "\u02bc": "'",
    }
    | {"\u25b2": "-", "\u25b3": "-"}  # Japanese accountants' minus
    | {"\u066c": "'", "\u02d9": "'", "\uff0c": ",", "\uff0e": ".", "\u00b4": "'"}
)
"""Letters that look like the marks of a number, and are meant so."""

NOTHING = re.compile(
    r"(?:[^\w\s-]{0,3}|[A-Za-z]{2,3}\.?) ?-{1,3}|nil|none|n\.?/?a\.?|nan|<na>|#n/a", re.ASCII | re.IGNORECASE
)
"""What stands in the column of one side where the other is filled: `-`, `NIL`, and `₹ -` for zero."""

_NOISE = 15
"""Significant digits from which a decimal may be the noise of a binary number."""

_ADVICE = "is not a number: write it with a decimal point (1250.00)"

_GROUP = {mark: re.escape(mark) for mark in ",. '"}


def _reading(decimal: str, thousands: str) -> re.Pattern[str]:
    """A number with this decimal mark. One of `thousands` may separate groups: of three digits, or as in India of
    three and then two digits."""
    grouped = [
        rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d?(?:{mark}\d{{2}})+{mark}\d{{3}}"
        for mark in (_GROUP[group] for group in thousands)
    ]
    whole, point = "|".join([*grouped, r"\d+"]), re.escape(decimal)
    return re.compile(rf"({whole})(?:{point}(\d*))?|(){point}(\d+)", re.ASCII)


_READINGS = {mark: _reading(mark, others) for mark, others in ((".", ", '"), (",", ". '"))}


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was written, and what stands beside it."""

    value: Decimal
    currencies: frozenset[str] = frozenset()
    """What its sign or code may mean; none where it has neither."""
    mark: str = ""
    """That sign or code."""
    sign: str = ""
    """"-" or "+" where one is written; parentheses are a minus."""
    side: str = ""
    """The word that names a side, as `sides.word_of` gives it."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Sides that a ledger tells in part, or without the profile saying what they mean: the rows are quarantined."""

    column: str = ""
    """The name of a column whose words tell the side of amounts, and which the profile does not name."""
    words: frozenset[str] = frozenset()
    """Those of its words whose rows are in doubt."""
    refunds: frozenset[str] = frozenset()
    """Those of them that mean money that went out in any book: rows with a minus are in no doubt."""
    others: frozenset[str] = frozenset()
    """Its other words, "" for none."""
    unmarked: bool = False
    """Whether most rows tell a side, so that one that tells none may be of either."""
    out_minus: bool = False
    """Whether some amounts of the column of money out have a minus, and others none."""


@dataclass(frozen=True, slots=True)
class AmountStyle:
    """How the amounts of one column are written."""

    decimal: str | None = None
    """The decimal mark, from the profile or proven by the column; None if unknown."""
    thousands: str | None = None
    """From the profile: the only mark between thousands ("": there is none); None: any that fits."""
    from_profile: bool = False
    """Whether the profile says so: then no amount may be written otherwise."""
    side: SideWords | None = None
    """Of the profile: which word is which side."""
    minor: bool = False
    """Of the profile: amounts are whole numbers of the minor unit (paise, cents)."""
    doubts: Doubts = field(default_factory=Doubts)
    """What the columns leave in doubt."""

    @property
    def usual(self) -> bool:
        """Whether USUAL amounts say all there is to say, so that rows may be read by the block."""
        return (
            self.decimal != "," and self.thousands is None and self.side is None and not self.minor
            and self.doubts == Doubts()
        )  # fmt: skip

    def read(self, text: str, codes: Mapping[str, int], currency: str | None) -> Amount:
        """The amount. `codes` are the known currencies with their decimals; `currency` is the row's, None if unknown.

        Raises ValueError, worded for a quarantine reason.
        """
        if self.decimal != "," and self.thousands is None and USUAL.fullmatch(text):
            return Amount(parse_amount(text), sign=text[:1] if text[0] == "-" else "")
        body, sign, mark, side = _split_amount(text, self._words())
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
            elif codes.get(known or "") == 0:
                readings = {
                    mark: reading for mark, reading in readings.items() if "." not in reading
                }  # no yen has decimals
            else:
                what = "comma" if "," in body else "point"
                raise ValueError(
                    f"may use its {what} for thousands or for decimals: write 1250.00, "
                    "or give the ledger's profile its decimal"
                )
        value = _without_noise(next(iter(readings.values())), codes.get(currency or "", 0))
        return Amount(value.copy_negate() if sign == "-" and value else value, currencies, mark, sign, side)

    def dressed(self, value: Decimal, dress: str, own_section: bool, codes: Mapping[str, int]) -> Amount:
        """A number of a workbook with what its format shows around it, a 1 in the number's place.

        `own_section`: the format is one for negative numbers, whose minus is the number's own.
        """
        _, sign, mark, side = _split_amount(clean(dress), self._words())
        currencies = _currencies(mark, codes)
        if value < 0:
            if sign and not own_section:
                raise ValueError("is negative, but its number format shows another sign")
            sign = "-"
        elif sign == "-" and value:
            value = value.copy_negate()
        return Amount(value, currencies, mark, sign if value else "", side)

    def _words(self) -> frozenset[str]:
        return SIDE_WORDS if self.side is None else SIDE_WORDS | self.side.into | self.side.out

    def proves(self, text: str, codes: Mapping[str, int]) -> str | None:
        """The decimal mark that this text needs; "" if any would do, None if it is no number.

        `1,250` needs none, but means something else with each: that is `unclear`."""
        if USUAL.fullmatch(text):
            return "." if "." in text else ""
        try:
            body, _, mark, _ = _split_amount(text, self._words())
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
    """An amount's text without blanks around it, its dashes and apostrophes in one writing."""
    if text.isalnum():
        return text
    return _SPACES.sub(" ", text if text.isascii() else text.translate(_ALIKE)).strip()


def _split_amount(text: str, words: frozenset[str]) -> tuple[str, str, str, str]:
    """The digits with their marks, the sign ("-", "+" or ""), the currency's sign or code, and the side's word.

    `words` are those that name a side. Raises ValueError, worded for a quarantine reason.
    """
    if _SCIENTIFIC.fullmatch(text):
        # A spreadsheet that shows 1.25E+05 has already dropped the digits that it did not show.
        raise ValueError("is in scientific notation: format the column as a plain number (125000.00)")
    signs = []
    if (brackets := _BRACKETS.fullmatch(text)) is not None:
        before, inside, after = brackets.groups()
        if any(map(str.isdigit, inside)):
            signs.append("-")
        text = f"{before} {inside} {after}".strip()
    text = _ONLY.sub("", text)
    text = _NO_CENTS.sub(lambda found: found["mark"] or "", text)
    text = _WHOLE_RUPEES.sub(lambda found: found[1] or ".", text)  # what stands before is whole rupees
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise ValueError(_advice_on(text))
    dress = [found["before"], found["after"]]
    signs += _SIGN.findall("".join(dress))
    if len(signs) > 1:
        raise ValueError("is not a number: it has two signs")
    marks, sides = [], []
    for part in dress:
        kept = []
        for word in _SIGN.sub(" ", part).split():
            if (side := word_of(word)) in words:
                sides.append(side)
            else:
                kept.append(word)
        if kept:
            marks.append(" ".join(kept))
    if len(set(sides)) > 1:
        raise ValueError("names two sides")
    if len(marks) > 1 and len({word.lower() for word in marks}) > 1:
        # `₹ 500 INR` names one currency twice; `$ 500 CAD` says which dollar it is: together they decide.
        marks = [" ".join(marks)]
    body = found["body"].rstrip(" ")
    return body, signs[0] if signs else "", marks[-1] if marks else "", sides[0] if sides else ""


def _advice_on(text: str) -> str:
    if (once := twice_decoded(text)) is not None:
        return f"was decoded twice ({text!r} was {once!r}): export it again as UTF-8"
    if "?" in text or "\ufffd" in text:
        return "has lost its currency's sign (?): export it again as UTF-8"
    return _ADVICE


def _currencies(mark: str, codes: Mapping[str, int]) -> frozenset[str]:
    if not mark:
        return frozenset()
    found = named(mark, codes)
    if not found:
        raise ValueError(_advice_on(mark))
    return found


def _without_noise(digits: str, decimals: int) -> Decimal:
    """The number; 1299.8999999999999, which a program wrote for a binary 1299.9, as a workbook's cell of it is read.

    `decimals` are those of its currency: where it has so many, they are meant."""
    value = parse_amount(digits)
    places = len(digits.partition(".")[2])
    if places <= decimals or len(value.as_tuple().digits) <= _NOISE:
        return value
    number = float(digits)
    if Decimal(repr(number)) != value:
        return value  # no binary number is written so
    meant = exact(number)
    return meant if isinstance(meant, Decimal) else value


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


@dataclass(slots=True)
class Tally:
    """How the amounts of one column tell signs and sides, in rows."""

    minus: int = 0
    sides: int = 0
    """With a word such as Cr."""
    bare: int = 0
    """With neither."""
    words: set[str] = field(default_factory=set)


class AmountScan:
    """Takes the amounts of a column one by one, and finds out how they are written."""

    def __init__(self, codes: Mapping[str, int], side: SideWords | None = None) -> None:
        self._codes = codes
        self._style = AmountStyle(side=side)
        self.tallies: dict[str, Tally] = {}
        """By column, how its amounts tell signs and sides."""
        self._proof: dict[str, tuple[int, str]] = {}
        self._unclear = 0
        self._example: tuple[int, str] | None = None
        self.currencies: set[str] = set()
        """The currencies that amounts name by a symbol or code of one currency only."""
        self.vague: set[frozenset[str]] = set()
        """What signs of several currencies may mean."""

    def count_bare(self, column: str, rows: int) -> None:
        """Note that so many amounts tell no side."""
        self.tallies.setdefault(column, Tally()).bare += rows

    def tally(self, column: str, cell: str | Decimal | Formatted) -> str:
        """Note which sign and side an amount tells; the sign: "-", "+" or ""."""
        found = self.tallies.setdefault(column, Tally())
        if isinstance(cell, Decimal):
            sign, side, some = "-" if cell < 0 else "", "", cell != 0
        else:
            text = clean(tidy(cell if isinstance(cell, str) else cell.dress))
            try:
                _, sign, _, side = _split_amount(text, self._style._words())
            except ValueError:
                return ""
            some = True
            if isinstance(cell, Formatted) and cell.value < 0:
                sign = "-"
        if some:
            found.minus += sign == "-"
            found.sides += bool(side)
            found.bare += not sign and not side
            if side:
                found.words.add(side)
        return sign

    def see_dress(self, cell: Formatted) -> None:
        """Take a number of a workbook into account, whose format may show its currency."""
        try:
            names = self._style.dressed(cell.value, cell.dress, cell.own_section, self._codes).currencies
        except ValueError:
            return
        self._note(names)

    def add(self, row: int, text: str, currency: str | None) -> None:
        """Add one amount; `currency` is its row's."""
        if USUAL.fullmatch(text):
            if "." in text and "." not in self._proof:
                self._proof["."] = (row, text)
            return
        text = clean(tidy(text))
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
            _, _, mark, _ = _split_amount(text, self._style._words())
            names = _currencies(mark, self._codes)
        else:
            names = found.currencies
        self._note(names)

    def _note(self, names: frozenset[str]) -> None:
        if len(names) == 1:
            self.currencies |= names
        elif names:
            self.vague.add(names)

    def column(self) -> AmountColumn:
        """The result. Where amounts prove both marks, the column proves none."""
        if len(self._proof) == 1:
            return AmountColumn(AmountStyle(decimal=next(iter(self._proof))), 0, None, self._proof)
        return AmountColumn(AmountStyle(), self._unclear, self._example, self._proof)
