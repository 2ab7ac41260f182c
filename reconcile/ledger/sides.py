"""Words that name the side of an amount: `Cr` and `Dr`, `Credit` and `Debit`, `H` and `S`.

Which of them is money that came in depends on whose account was exported: a bank's statement credits what comes in,
the merchant's own books debit it. So the profile says it (`side`), and nothing is read without.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

PAIRS: tuple[tuple[str, str], ...] = (
    ("cr", "dr"), ("credit", "debit"), ("c", "d"), ("h", "s"), ("haben", "soll"), ("cr", "db"),
    ("credits", "debits"), ("in", "out"), ("deposit", "withdrawal"), ("received", "paid"),
    ("incoming", "outgoing"), ("inflow", "outflow"), ("money in", "money out"), ("+", "-"),
    ("haber", "debe"), ("abono", "cargo"), ("crédito", "débito"), ("crédit", "débit"), ("avere", "dare"),
    ("af", "bij"), ("jama", "naam"), ("जमा", "नाम"),
)  # fmt: skip
"""Words that are used as a pair; the first of each is what a bank calls money that came in."""

SIDE_WORDS = frozenset(("cr", "dr", "credit", "debit", "c", "d", "h", "s", "haben", "soll", "db"))
"""Those that stand beside a number in its own cell."""

_SURE = frozenset(("cr", "dr", "db", "haben", "soll", "debe", "haber", "जमा", "नाम"))
"""Words that mean nothing else, whatever their column is called."""

_COLUMN = re.compile(
    r"\b(?:cr|c)\W{0,3}(?:dr|db|d)\b|\b(?:dr|db|d)\W{0,3}(?:cr|c)\b|crdr|drcr|d/?c\b.*ind"
    r"|credit\W{0,3}(?:or\W+)?debit|debit\W{0,3}(?:or\W+)?credit|soll\W*haben|\bs\W?/\W?h\b|indicator|direction"
    r"|\bside\b|\bsign\b|debe\W*haber|\b(?:transaction|txn|trans|entry|posting|amount)\W*type\b|\btype\b"
    r"|in\W{0,3}out\b|\bbij\W*af\b|\baf\W*bij\b",
    re.IGNORECASE,
)
_NO_SIDE = re.compile(r"card|method|mode|instrument|channel|account", re.IGNORECASE)
"""Headers of columns whose Credit and Debit are kinds of cards."""


def word_of(text: str) -> str:
    """A word as it is compared: case, blanks around it, brackets and a point at its end do not count."""
    return " ".join(text.strip().strip("()[]").rstrip(".").split()).casefold()


@dataclass(frozen=True, slots=True)
class SideWords:
    """The profile's `side`."""

    column: str | None
    """The header of the column that holds the words; None: they stand in the amount's own cell."""
    into: frozenset[str]
    """As `word_of` gives them; "" stands for no word at all."""
    out: frozenset[str]

    def sign(self, word: str) -> int | None:
        """1 for money that came in, -1 for money that went out, None for a word of neither."""
        return 1 if word in self.into else -1 if word in self.out else None

    @property
    def words(self) -> str:
        """All of them, as a reason names them."""
        return " or ".join(sorted(word.capitalize() or '""' for word in self.into | self.out))


def may_tell(header: str, values: Iterable[str]) -> bool:
    """Whether a column of this header and these values tells the side of the amounts beside it."""
    words = {word_of(value) for value in values} - {""}
    if not any(words <= set(pair) for pair in PAIRS):
        return False
    if _NO_SIDE.search(header):
        return False
    if not words:
        return _COLUMN.search(header) is not None and "type" not in header.casefold()
    return words <= _SURE or words <= {"+", "-"} or _COLUMN.search(header) is not None


def pair_of(words: Iterable[str]) -> tuple[str, str] | None:
    """The pair that these words are of."""
    found = set(words) - {""}
    return next((pair for pair in PAIRS if found <= set(pair)), None) if found else None
