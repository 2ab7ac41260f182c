"""What stands below the header of a ledger and is no record: a line of totals, the header again, a further line of
the row above. It is passed over and counted; a line of totals is checked against the rows that it adds up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from reconcile.ledger.header import Header
from reconcile.ledger.table import Cell, Formatted, Spanned, UnreadableCell, tidy


class Kind(StrEnum):
    """Why a row is no record, in words for people."""

    HEADER = "the header again"
    FURTHER = "a further line of the row above"
    TOTAL = "a line of totals"
    BALANCE = "a balance, or what is carried over"
    REMARK = "a remark or a rule, no record"


_SCOPE = (
    r"(?:(?:grand|sub|net|overall|page|daily?|day's|weekly|monthly|yearly|running|column|final|report|voucher|account)"
    r"[\s-]?)?"
)
_TOTAL = (
    rf"{_SCOPE}totals?|subtotals?|{_SCOPE}sum|summe|gesamt(?:summe|betrag)?|zwischensumme|endsumme|summen?|insgesamt"
    r"|total g[eé]n[eé]ral|sous[\s-]total|somme|totaux|suma(?: total)?|total general|totale(?: generale)?|subtotale"
    r"|soma|totaal|eindtotaal|subtotaal|razem|suma|celkem|spolu|összesen|toplam|genel toplam|yhteensä|summa|totalt?"
    r"|i alt|сумма|итого|всего|підсумок|разом|कुल(?: योग)?|योग|मोट|એકંદર|মোট|மொத்தம்"
    r"|합계|총계|合計|合计|总计|總計|小計|小计|الإجمالي|المجموع"
)
_BALANCE = (
    r"(?:opening|closing|ending|beginning|starting|available|ledger|book|current|final) (?:balance|bal\.?)|balance"
    r"(?: (?:brought|carried) (?:forward|down|over)| [bc]/[fd]| as (?:on|of|at)\b.*)?"
    r"|(?:amount |total )?(?:brought|carried) (?:forward|over|down)|[bc]\s?/\s?[fd]\.?"
    r"|(?:anfangs|end|schluss|abschluss|eröffnungs|alter |neuer )?saldo|(?:anfangs|end|schluss)bestand|übertrag"
    r"|kontostand|solde(?: (?:initial|final|d'ouverture|de clôture|de départ|au\b.*))?|à report(?:er)?"
    r"|report (?:à nouveau|solde)"
    r"|saldo (?:inicial|final|iniziale|finale|anterior|actual|atual)|beginsaldo|eindsaldo"
)
_PHRASE = re.compile(
    rf"(?:\W*)(?:(?P<total>{_TOTAL})|(?P<balance>{_BALANCE}))"
    r"(?P<more>\s*[:=*.\-]*|\s*\([^)]*\)\s*:?"
    r"|[\s:]+(?:for|of|as|on|upto|up to|from|in|amount|debits?|credits?|per|à|au|du|am|zum)\b.*)\W*",
    re.IGNORECASE,
)
_BEGINS = re.compile(rf"\W*(?:(?P<total>{_TOTAL})|(?P<balance>{_BALANCE}))(?!\w)", re.IGNORECASE)

TOTAL_IDS = rf"(?i)\W*(?:{_TOTAL}|{_BALANCE})(?:\W.*)?"
"""For RE2: every id that `Watch` may take for a line of totals."""

_RULE = re.compile(r"(?=.{3})[\s\-=_*#.~+|\u2013\u2014\u2500-\u257f]*")
_REMARK = re.compile(
    r"\W*(?:#\s|page\s+\d|sheet\s+\d|(?:generated|printed|exported|created|downloaded|prepared|run)\s+(?:on|by|at|from)\b"
    r"|end of|statement|report\s+\w|(?:number|no\.?|count) of\b|this is\b|note\s*:|legend\b|disclaimer\b|e\.?\s?&\s?o"
    r"|(?:count|average|avg|records?|rows?|transactions?|entries)\s*[:=]|\*{2,})",
    re.IGNORECASE,
)
"""How lines begin that a program writes below or between the records."""
_COUNTS = re.compile(r"(?:count|average|avg\.?|mean|(?:number|no\.?) of .*)\s*:?", re.IGNORECASE)
_PROSE = 3
"""Number of words without a digit from which a line counts as prose, if no other cell is filled."""

_NUMBER = re.compile(r"[\d.,'()+\-\s₹$€£]*\d[\d.,'()+\-\s₹$€£]*(?:[A-Za-z]{1,3}\.?)?")


_LONGEST = 200
"""Characters of a cell that is looked at for words of totals."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The rows of a table that are no records."""

    rows: Mapping[int, Kind] = field(default_factory=dict)
    """By number."""
    warnings: tuple[str, ...] = ()
    """Lines of totals that are not the sum of their column, each in a sentence."""


class Watch:
    """Looks at the rows of a table one after the other, and tells those that are no records."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._id = header.place("ledger_id")
        self._date = header.place("date")
        self._currency = header.place("currency")
        self._amounts = [
            place
            for name in ("amount", "amount_in", "amount_out")
            if (place := header.place(name)) is not None
        ]
        self._keys = [
            place
            for name in ("reference", "transaction_id", "provider_order_id", "provider_txn_id")
            if (place := header.place(name)) is not None
        ]
        self._above: tuple[str, str] | None = None  # id and day of the record above
        self.rows: dict[int, Kind] = {}
        self.totals: dict[int, str] = {}
        """Lines of totals with their word; "" for one of numbers alone, which is one only if it is the sum."""

    def see(self, number: int, cells: Sequence[Cell]) -> Kind | None:
        """Take one row into account, and say what it is if it is no record."""
        kind = self._kind(number, cells)
        if kind is not None:
            self.rows[number] = kind
            return kind
        if number not in self.totals:
            self._above = (self._text(cells, self._id), self._text(cells, self._date))
        return None

    def see_other(self, number: int, cells: Sequence[Cell]) -> None:
        """The same for a row that has not as many cells as the header."""
        texts = self._filled(cells)
        if texts and _is_remark(texts):
            self.rows[number] = Kind.REMARK

    def _kind(self, number: int, cells: Sequence[Cell]) -> Kind | None:
        if self._header.is_repeated_by(cells):
            return Kind.HEADER
        if not self._text(cells, self._date) or not self._text(cells, self._id).isalnum():
            texts = self._filled(cells)
            keys = any(self._text(cells, place) for place in self._keys)
            if _is_remark(texts) or (
                not keys and not self._text(cells, self._date) and _COUNTS.fullmatch(texts[0])
            ):
                return Kind.REMARK
        ledger_id, day = self._text(cells, self._id), self._text(cells, self._date)
        blank = all(self._is_blank(cells[place]) for place in self._amounts)
        if blank and self._above is not None:
            above_id, above_day = self._above
            if ledger_id and ledger_id == above_id and day in ("", above_day):
                return Kind.FURTHER
            keys = any(self._text(cells, place) for place in self._keys)
            if self._id is not None and not (ledger_id or day or keys or self._totals(cells, ledger_id, day)):
                return Kind.FURTHER  # the narration of the row above goes on
        if found := self._totals(cells, ledger_id, day):
            if found["balance"]:
                return Kind.BALANCE
            self.totals[number] = " ".join(found[0].split())
            return Kind.TOTAL
        if not ledger_id and not day and not blank and self._numbers_alone(cells):
            self.totals[number] = ""
        return None

    @staticmethod
    def _filled(cells: Sequence[Cell]) -> list[str]:
        texts = (tidy(cell) if isinstance(cell, str) else str(cell) for cell in cells)
        return [text for text in texts if text]

    def _totals(self, cells: Sequence[Cell], ledger_id: str, day: str) -> re.Match[str] | None:
        if ledger_id and day and any(self._text(cells, place) for place in self._keys):
            return None  # a line of totals has a day at most, and no key
        if ledger_id and (
            (phrase := _PHRASE.fullmatch(ledger_id)) is not None or (day and not _PHRASE.fullmatch(day))
        ):
            return phrase
        if ledger_id:
            return None if any(map(str.isdigit, ledger_id)) else _BEGINS.match(ledger_id)
        texts = [tidy(cell) for cell in cells if isinstance(cell, str) and cell and len(cell) < _LONGEST]
        for text in texts:
            if (phrase := _PHRASE.fullmatch(text)) is not None:
                return phrase
        if (day and not _PHRASE.fullmatch(day)) or any(self._text(cells, place) for place in self._keys):
            return None
        # Whatever else such a line says, it is checked against the rows above it.
        found = (_BEGINS.match(text) for text in texts)
        return next((one for one in found if one is not None and one["total"]), None)

    def _numbers_alone(self, cells: Sequence[Cell]) -> bool:
        return all(
            not isinstance(cell, str) or self._is_blank(cell) or _NUMBER.fullmatch(tidy(cell))
            for place, cell in enumerate(cells)
            if place != self._currency
        )

    @staticmethod
    def _is_blank(cell: Cell) -> bool:
        if isinstance(cell, UnreadableCell):
            return not cell.shown
        return isinstance(cell, Spanned) or (isinstance(cell, str) and not tidy(cell))

    @staticmethod
    def _text(cells: Sequence[Cell], place: int | None) -> str:
        if place is None:
            return ""
        cell = cells[place]
        return (
            tidy(cell)
            if isinstance(cell, str)
            else ""
            if isinstance(cell, UnreadableCell) and not cell.shown
            else str(cell)
        )


def amount_cells(cell: Cell) -> str | Decimal | Formatted | None:
    """An amount's cell if there is something in it to be read."""
    if isinstance(cell, Spanned | UnreadableCell):
        return None
    if isinstance(cell, str):
        return cell if tidy(cell) else None
    return cell if isinstance(cell, Decimal | Formatted) else None


def _is_remark(texts: Sequence[str]) -> bool:
    """Whether the filled cells of a row are a rule, `-----`, or the only one is a line of prose."""
    if all(_RULE.fullmatch(text) for text in texts):
        return True
    if len(texts) != 1 or len(texts[0]) > _LONGEST:
        return False
    words = texts[0].split()
    prose = len(words) >= _PROSE and not any(map(str.isdigit, texts[0])) and any(map(str.isalpha, texts[0]))
    return prose or _REMARK.match(texts[0]) is not None
