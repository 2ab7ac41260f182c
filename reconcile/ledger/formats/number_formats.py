"""What a workbook's number formats show around a number: `250.00 Cr`, `€ 12.50`, `00123`.

The codes are those of ECMA-376, part 1, 18.8.31.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from reconcile.ledger.table import Cell, Formatted, number_text

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)(?:-[^\]]*)?\]|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<digit>[0#?])|(?P<other>.)",
    re.DOTALL | re.IGNORECASE,
)
_CONDITION = re.compile(r"(?P<how><=|>=|<>|=|<|>)\s*(?P<limit>-?\d+(?:\.\d+)?)")
_BETWEEN = frozenset(".,%/Ee+-")
"""Letters that belong to the number where they stand between its digits."""
_DATE = re.compile(r"[ymdhs]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Section:
    """One of the up to four parts of a format."""

    before: str
    after: str
    integer: str
    """The places of the digits before the point, with what stands between them: `000-0000`."""
    fraction: int
    """Decimals that are always shown."""
    condition: tuple[str, Decimal] | None
    numeric: bool

    @property
    def padding(self) -> int:
        """Digits before the point that are always shown."""
        return self.integer.count("0")

    def holds(self, value: Decimal) -> bool:
        """Whether its condition does."""
        assert self.condition is not None
        how, limit = self.condition
        return {
            "<": value < limit, ">": value > limit, "=": value == limit, "<=": value <= limit, ">=": value >= limit,
            "<>": value != limit,
        }[how]  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A format that shows more than the number."""

    sections: tuple[_Section, ...]

    def cell(self, value: Decimal) -> Cell:
        """The number as this format shows it; the number itself where that is all."""
        section, own = self._section(value)
        if not section.numeric:
            return value
        bare = not (section.before or section.after)
        literal = bool(re.search(r"[^0#?,]", section.integer))
        if bare and section.padding < 2 and not literal:
            return value
        dress = "" if bare else f"{section.before}1{section.after}"
        minus = "-" if value < 0 and not own else ""
        return Formatted(
            value,
            f"{minus}{section.before}{self._digits(section, abs(value))}{section.after}".strip(),
            dress,
            own,
        )

    def _section(self, value: Decimal) -> tuple[_Section, bool]:
        """The section for a value, and whether it is one for negative values alone."""
        numbers = self.sections[:3]
        if any(section.condition for section in numbers):
            for section in numbers:
                if section.condition is None or section.holds(value):
                    how = section.condition
                    return section, how is not None and how[0] in ("<", "<=") and how[1] <= 0
            return numbers[-1], False
        if value < 0 and len(numbers) > 1:
            return numbers[1], True
        if value == 0 and len(numbers) > 2:
            return numbers[2], False
        return numbers[0], False

    @staticmethod
    def _digits(section: _Section, value: Decimal) -> str:
        whole = number_text(value).partition(".")[0]
        if value != value.to_integral_value() or not section.padding:
            return number_text(value)
        places = [letter for letter in section.integer if letter != ","]
        digits = list(whole)
        shown: list[str] = []
        for letter in reversed(places):
            if letter in "0#?":
                if digits:
                    shown.append(digits.pop())
                elif letter == "0":
                    shown.append("0")
            elif digits or "0" in places:
                shown.append(letter)
        text = "".join(digits) + "".join(reversed(shown))
        return text + ("." + "0" * section.fraction if section.fraction else "")


def number_format(code: str) -> NumberFormat | None:
    """A format by its code; None where it shows nothing but the number, or no number."""
    sections = tuple(_section(part) for part in _parts(code))
    numbers = sections[:3]
    telling = any(
        section.numeric
        and (section.before or section.after or section.padding > 1 or re.search(r"[^0#?,]", section.integer))
        for section in numbers
    )
    return NumberFormat(sections) if telling and numbers[0].numeric else None


def _parts(code: str) -> list[str]:
    """The sections: what is parted by semicolons outside of quotes."""
    parts, last = [], 0
    for token in _TOKEN.finditer(code):
        if token["other"] == ";":
            parts.append(code[last : token.start()])
            last = token.end()
    return [*parts, code[last:]]


def _section(code: str) -> _Section:
    before = integer = ""
    fraction = 0
    condition = None
    begun = point = False
    waiting = ""  # after the digits, until it is known whether more digits follow
    is_date = False
    for token in _TOKEN.finditer(code):
        literal = token["quoted"] if token["quoted"] is not None else token["escaped"]
        if token["currency"] is not None:
            literal = token["currency"]
        if token["bracket"] is not None:
            if found := _CONDITION.fullmatch(token["bracket"].strip()):
                condition = found["how"], Decimal(found["limit"])
            continue
        if token["digit"] or token["general"]:
            if not point:
                integer += waiting + (token["digit"] or "#")
            elif token["digit"] == "0":
                fraction += 1
            waiting = ""
            begun = True
            continue
        other = token["other"]
        if other is not None:
            if begun and other == ".":
                point, waiting = True, ""
                continue
            if begun and other in _BETWEEN:
                if other == ",":
                    continue
                waiting += "" if other in "Ee" else other
                continue
            if _DATE.fullmatch(other):
                is_date = True
            literal = other
        if literal is None:  # a blank of some width
            literal = " "
        if begun:
            waiting += literal
        else:
            before += literal
    before, after = (text if text.strip() else "" for text in (before, waiting))
    return _Section(before, after, integer, fraction, condition, begun and not is_date)
