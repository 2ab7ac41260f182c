"""Rows of a ledger, typed one by one: the careful normaliser of this side. Pure: no file, no clock.

Here is decided whether a record *can* be typed without guessing. Whether it *may* be used (is its currency
known, has its amount too many decimals) is decided by `reconcile.validate.validator`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from reconcile.core.money import Currencies, currency_code, decimals, parse_amount
from reconcile.core.records import Entry, RawRow, Rejection, Side
from reconcile.core.rejections import Problem, rejection
from reconcile.ledger import amounts as written_amounts
from reconcile.ledger import dates as written_dates
from reconcile.ledger.amounts import NOTHING, Amount, Doubts
from reconcile.ledger.beside import reason_of
from reconcile.ledger.columns import Style
from reconcile.ledger.currency_names import named as currencies_named
from reconcile.ledger.currency_names import settled
from reconcile.ledger.dates import FIRST_YEAR, LAST_YEAR, parse_iso
from reconcile.ledger.file import BROKEN, LedgerFile
from reconcile.ledger.profile import IN, OUT, SIDE, Profile
from reconcile.ledger.sides import word_of
from reconcile.ledger.table import Formatted, UnreadableCell, lost_digits, tidy
from reconcile.normalise.fields import MAX_KEY, MAX_TEXT, names, sure_amount, text_of
from reconcile.normalise.normaliser import Normalised

_LINE_BREAK = re.compile("[\r\n\t]")
_BROKEN_LINE = re.compile(r"[^\S\r\n]*[\r\n]\s*")
_CODE = re.compile("[A-Z]{3}", re.ASCII)
_CARE = re.compile(r"['\\]|nul|nan\b|nat\b|<na>|\de[+-]?\d|#[#nrvd]", re.ASCII | re.IGNORECASE)
"""In a row of plain ASCII, what `tidy` or `lost_digits` may have something to say of."""
_NOT_WHOLE = "is not a whole number, but the profile says that amounts are in minor units"


class _Cells:
    """The cells of one row. What is wrong with one is noted as a problem when it is read."""

    __slots__ = ("_breaks", "problems", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.problems: list[Problem] = []
        texts = "".join([value for value in values.values() if type(value) is str])
        self._breaks = _LINE_BREAK.search(texts) is not None

    def text(self, name: str) -> str | None:
        """A status or a description."""
        value = self.values.get(name)
        return text_of(name, tidy(value) if isinstance(value, str) else value, MAX_TEXT, self.problems)

    def word(self, name: str) -> str | None:
        """A text of one line: an app or a currency."""
        value = self.values.get(name)
        return self._line(name, tidy(value) if isinstance(value, str) else value)

    def key(self, name: str) -> str | None:
        """An id or a reference; None too where a spreadsheet has shortened it."""
        value = self.values.get(name)
        if isinstance(value, str):
            value = tidy(value)
            if reason := lost_digits(value):
                # No other entry has this id; without another key an entry is still one, and the import says so.
                if name == "ledger_id":
                    self.problems.append((name, value, reason))
                return None
        return self._line(name, value)

    def _line(self, name: str, value: object) -> str | None:
        if self._breaks and isinstance(value, str) and _LINE_BREAK.search(value):
            # Two rows may have been joined by a pair of stray quotes: not to be read as one.
            self.problems.append((name, value, "holds a line break or a tab"))
            return None
        return text_of(name, value, MAX_KEY, self.problems)


@dataclass(frozen=True, slots=True)
class EntryNormaliser:
    """Types rows of a ledger, whatever they hold. A `Normaliser`."""

    app_ids: tuple[str, ...]
    """The apps that a column `app_id` may name; rows that name none belong to the first."""
    source: str
    currency: str | None
    """Of a ledger without a column for it."""
    currencies: Currencies
    style: Style = Style()  # noqa: RUF009 - it is immutable
    """How its dates and amounts are written."""

    @classmethod
    def of(
        cls, ledger: LedgerFile, profile: Profile, app_ids: Sequence[str], currencies: Currencies
    ) -> "EntryNormaliser":
        """The normaliser of one ledger."""
        return cls(tuple(app_ids), profile.name, profile.currency, currencies, ledger.style)

    def __call__(self, rows: Sequence[RawRow], /) -> Normalised[Entry]:
        return Normalised.one_by_one(rows, self.typed(rows))

    def typed(self, rows: Iterable[RawRow]) -> Iterator[Entry | Rejection]:
        """One value for every row."""
        app_ids = frozenset(self.app_ids)
        for row in rows:
            # A usual row names no app; where there are several, each row must.
            usual = self._usual_entry(row) if len(app_ids) == 1 else None
            yield self._entry(row, app_ids) if usual is None else usual

    def _usual_entry(self, row: RawRow) -> Entry | None:
        """An entry as nearly all are written: short ASCII texts, an ISO day, an amount with a point. Four times
        as fast as by `_entry`, which reads it to the same; None for any other row."""
        get, style = row.values.get, self.style
        day: Any = get("date")
        written: Any = get("amount")
        if type(written) is not str or type(day) is not str:
            return None
        if style.reference is not None or not style.amounts.usual:
            return None
        try:
            joined = "".join(row.values.values())
            if (
                len(joined) > MAX_KEY
                or not joined.isascii()
                or not joined.isprintable()
                or _CARE.search(joined)
            ):
                return None
            dated_on = usual_day(day) if style.dates.format is None else None
            if dated_on is None or not written_amounts.USUAL.fullmatch(written):
                return None
        except TypeError:  # a value that is no text
            return None
        ledger_id = get("ledger_id", "").strip()
        currency = currency_code(get("currency", self.currency or ""))
        if not _CODE.fullmatch(currency) or "app_id" in row.values:
            return None
        return Entry(
            app_id=self.app_ids[0],
            source=self.source,
            ledger_id=ledger_id,
            reference=_unless_blank(get("reference")),
            currency=currency,
            amount=parse_amount(written),
            status=get("status", "").strip(),
            dated_on=dated_on,
            dated_at=None,
            transaction_id=get("transaction_id", "").strip() or None,
            provider_order_id=get("provider_order_id", "").strip() or None,
            provider_txn_id=get("provider_txn_id", "").strip() or None,
            description=_unless_blank(get("description")),
            place=row.place,
        )

    def _entry(self, row: RawRow, app_ids: frozenset[str]) -> Entry | Rejection:
        """The entry of a row; for a row that cannot be an entry, a rejection with all its problems."""
        if BROKEN in row.values:
            return self._broken(row)
        # A rejection names its problems in the order in which they are found here.
        cells = _Cells(row.values)
        ledger_id = cells.key("ledger_id") or ""
        owner = self._owner(cells, app_ids)
        currency, amount = self._money(cells)
        dated_on, dated_at = _written_date(cells.values.get("date") or "", self.style, cells.problems)
        status = cells.text("status") or ""
        transaction_id = cells.key("transaction_id")
        provider_order_id = cells.key("provider_order_id")
        provider_txn_id = cells.key("provider_txn_id")
        description = cells.text("description")
        reference = self._reference(cells, description)
        if cells.problems or amount is None:
            return rejection(
                cells.problems,
                side=Side.LEDGER,
                app_id=owner,
                source=self.source,
                record_id=ledger_id,
                place=row.place,
                record=cells.values,
                currency=currency if currency in self.currencies.digits else None,
                amount=sure_amount(amount, currency, self.currencies),
                dated_on=dated_on,
                dated_at=dated_at,
            )
        return Entry(
            app_id=owner,
            source=self.source,
            ledger_id=ledger_id,
            reference=reference,
            currency=currency,
            amount=amount,
            status=status,
            dated_on=dated_on,
            dated_at=dated_at,
            transaction_id=transaction_id,
            provider_order_id=provider_order_id,
            provider_txn_id=provider_txn_id,
            description=description,
            place=row.place,
        )

    def _broken(self, row: RawRow) -> Rejection:
        """The rejection of a line that could not be cut into cells."""
        line = row.values["line"]
        return rejection(
            [("row", line, row.values[BROKEN])],
            side=Side.LEDGER,
            app_id=self.app_ids[0],
            source=self.source,
            place=row.place,
            record={"line": line},
        )

    def _owner(self, cells: _Cells, app_ids: frozenset[str]) -> str:
        """The app of a row; the first one, with a problem noted, where it names none of those it may."""
        first, named = self.app_ids[0], cells.word("app_id")
        if named is None:
            if len(app_ids) > 1 and not names(cells.problems, "app_id"):
                cells.problems.append(
                    ("app_id", None, "is missing: there are several apps, so each row must name its own")
                )
            return first
        if named not in app_ids:
            cells.problems.append(("app_id", named, "names an app that is not in the settings"))
            return first
        return named

    def _money(self, cells: _Cells) -> tuple[str, Decimal | None]:
        """The currency of a row, and its amount in whole units of it: rupees, not paise. Where one of them is not
        known, "" or None, with a problem noted."""
        currency, narrowed = self._written_currency(cells)
        amount, named = self._written_amount(cells, currency)
        if narrowed and named:
            named &= narrowed
        if not currency and (named or narrowed):
            currency = settled(named or narrowed, self.style.currencies)
        if not currency and not names(cells.problems, "currency"):
            cells.problems.append(
                (
                    "currency",
                    cells.values.get("currency"),
                    f"may be {', '.join(sorted(narrowed))}: write its ISO 4217 code"
                    if narrowed
                    else "is missing: write its ISO 4217 code",
                )
            )
        if self.style.amounts.minor and amount is not None and currency in self.currencies.digits:
            amount = amount.scaleb(-self.currencies.digits[currency])
        return currency, amount

    def _written_currency(self, cells: _Cells) -> tuple[str, frozenset[str]]:
        """The code that a currency's cell names, and what a sign of several currencies may mean."""
        if "currency" not in cells.values:
            return self.currency or "", frozenset()
        text = cells.word("currency") or ""
        code = currency_code(text)
        if not code or code in self.currencies.digits:
            return code, frozenset()
        try:
            found = currencies_named(text, self.currencies.digits)
        except ValueError as error:
            cells.problems.append(("currency", text, str(error)))
            return "", frozenset()
        if len(found) == 1:
            return next(iter(found)), found
        if self.currency in found:
            return self.currency or "", found
        return ("", found) if found else (code, found)

    def _written_amount(self, cells: _Cells, currency: str) -> tuple[Decimal | None, frozenset[str]]:
        """The amount, negative where money went out, and the currencies that its sign or code may mean."""
        if IN in cells.values:
            return self._amount_of_two(cells, currency)
        found = self._one_amount(cells, "amount", currency)
        if found is None or (value := _sided(found, cells.values, self.style, cells.problems)) is None:
            return None, frozenset()
        return value, found.currencies

    def _amount_of_two(self, cells: _Cells, currency: str) -> tuple[Decimal | None, frozenset[str]]:
        """The same of two columns: exactly one of them may hold another amount than 0."""
        came, went = (cells.values.get(name) for name in (IN, OUT))
        filled: list[tuple[Decimal, frozenset[str]]] = []
        for name, cell in ((IN, came), (OUT, went)):
            if _is_nothing(cell):
                continue
            found = self._one_amount(cells, name, currency)
            if found is None:
                return None, frozenset()
            if found.value and (reason := _against_column(name, found, self.style)):
                cells.problems.append((name, cell, reason))
                return None, frozenset()
            if found.value:
                value = abs(found.value)
                filled.append((value if name == IN else value.copy_negate(), found.currencies))
        if len(filled) == 1:
            return filled[0]
        if filled:
            cells.problems.append(
                (IN, f"{came} / {went}", f"and {OUT} are both filled: one of them must be blank or 0")
            )
            return None, frozenset()
        if not (_is_blank(came) and _is_blank(went)):
            return Decimal(0), frozenset()
        cells.problems.append((IN, None, f"and {OUT} are both missing"))
        return None, frozenset()

    def _one_amount(self, cells: _Cells, name: str, currency: str) -> Amount | None:
        """One cell's amount; None, with a problem noted, where it cannot be read."""
        value = cells.values.get(name, "")
        try:
            found = _read_amount(value, self.style, currency, self.currencies)
            if found.currencies and currency and currency not in found.currencies:
                raise ValueError(f"is written in {found.mark}, but the currency is {currency}")  # noqa: TRY301
            if self.style.amounts.minor and decimals(found.value):
                raise ValueError(_NOT_WHOLE)  # noqa: TRY301
        except ValueError as error:
            cells.problems.append((name, value, str(error)))
            return None
        return found

    def _reference(self, cells: _Cells, description: str | None) -> str | None:
        """What the profile's pattern finds in the column of references or in the description; else that column."""
        if self.style.reference is not None:
            texts = (cells.text("reference"), description) if "reference" in cells.values else (description,)
            if (found := _found(self.style.reference, texts)) is not None:
                return found
        return None if names(cells.problems, "reference") else cells.key("reference")


def _found(pattern: re.Pattern[str], texts: Iterable[str | None]) -> str | None:
    """The reference inside the first of these texts that holds one; a text that holds several different ones has none.

    A line break may have cut the reference in two. Where the lines together say another one than each alone, nobody
    knows which is meant.
    """
    for text in texts:
        if not text:
            continue
        found = _finds(pattern, text)
        if _BROKEN_LINE.search(text):
            found |= _finds(pattern, _BROKEN_LINE.sub("", text))
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _finds(pattern: re.Pattern[str], text: str) -> set[str]:
    return {found for match in pattern.finditer(text) if (found := match[match.lastindex or 0])}


def _unless_blank(text: str | None) -> str | None:
    return (text.strip() or None) if text else None


@lru_cache(maxsize=10_000)
def usual_day(text: str) -> date | None:
    """A day of ISO 8601 without a time; None for any other text."""
    if len(text) != 10:
        return None
    try:
        return parse_iso(text)[0]
    except ValueError:
        return None


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not tidy(cell))


def _is_nothing(cell: object) -> bool:
    """Whether a cell says that the amount stands in the other column: blank, `-`, `NIL`."""
    return _is_blank(cell) or (
        isinstance(cell, str) and NOTHING.fullmatch(written_amounts.clean(tidy(cell))) is not None
    )


def _against_column(name: str, found: Amount, style: Style) -> str:
    """Why an amount contradicts its column of one side; "" if it does not."""
    if name == IN and found.sign == "-":
        return "is negative in the column of money that came in: is it money that went out?"
    if name == OUT and found.sign == "-" and style.amounts.doubts.out_minus:
        return "has a minus, but other amounts of the column have none: did this money go out or come back?"
    if found.side:
        side = style.amounts.side
        if side is None:
            return reason_of(found.side, Doubts())
        if side.sign(found.side) != (1 if name == IN else -1):
            return f"names the side {found.side.capitalize()}, which contradicts its column"
    return ""


def _sided(found: Amount, values: Mapping[str, Any], style: Style, problems: list[Problem]) -> Decimal | None:
    """The amount with the sign of its side; None, with a problem noted, where sign and side contradict each other or
    the side is in doubt."""
    amounts, word = style.amounts, found.side
    if amounts.side is None:
        if word:
            problems.append(("amount", found.value, reason_of(word, Doubts())))
            return None
        if amounts.doubts == Doubts():
            return found.value
        column = amounts.doubts.column
        cell = values.get(column, "") if column else ""
        beside = word_of(tidy(cell)) if isinstance(cell, str) else ""
        signed = found.sign == "-" or not found.value
        if beside in amounts.doubts.words and not (signed and beside in amounts.doubts.refunds):
            problems.append((column, cell, reason_of(beside, amounts.doubts)))
            return None
        if amounts.doubts.unmarked and not found.sign:
            problems.append(("amount", found.value, "tells no side, but most other rows tell one"))
            return None
        return found.value
    field = "amount"
    if amounts.side.column is not None:
        field, cell = amounts.side.column, values.get(SIDE, "")
        beside = word_of(tidy(cell)) if isinstance(cell, str) else "?"
        if word and amounts.side.sign(word) != amounts.side.sign(beside):
            problems.append(
                (field, cell, f"contradicts the amount, which names the side {word.capitalize()}")
            )
            return None
        word = beside
    sign = amounts.side.sign(word)
    if sign is None:
        problems.append(
            (
                field,
                word,
                f"tells no side: it must be one of {amounts.side.words}, as the profile's side says",
            )
        )
        return None
    if found.value and found.sign and (found.sign == "-") != (sign < 0):
        problems.append(
            ("amount", found.value, f"has a sign that contradicts its side ({word.capitalize() or 'none'})")
        )
        return None
    return abs(found.value) * sign if found.value else Decimal(0)


def _read_amount(value: object, style: Style, currency: str, currencies: Currencies) -> Amount:
    if isinstance(value, Decimal):
        return Amount(parse_amount(str(value)), sign="-" if value < 0 else "")
    if isinstance(value, Formatted):
        parse_amount(str(value.value))
        return style.amounts.dressed(value.value, value.dress, value.own_section, currencies.digits)
    if isinstance(value, UnreadableCell):
        raise ValueError(value.reason)  # noqa: TRY004 - worded as every other reason
    text = written_amounts.clean(tidy(str(value)))
    if not text and str(value).strip().casefold() == "nan":
        raise ValueError("is not a number")
    if not text or NOTHING.fullmatch(text):
        raise ValueError("is missing")
    if style.amounts.minor and "." in text:
        raise ValueError(_NOT_WHOLE)
    return style.amounts.read(text, currencies.digits, currency or None)


def _written_date(
    value: object, style: Style, problems: list[Problem]
) -> tuple[date | None, datetime | None]:
    """The day as written, or the instant where the ledger writes a zone; never both."""
    try:
        if isinstance(value, str):
            text = written_dates.clean(tidy(value))
            if not text:
                raise ValueError("is missing")  # noqa: TRY301
            day, at = style.dates.read(text)
        else:
            day, at = _typed_date(value)
    except ValueError as error:
        problems.append(("date", value, str(error)))
        return None, None
    return (day, None) if at is None else (None, at)


def _typed_date(value: object) -> tuple[date, datetime | None]:
    """A real date or time of a workbook, a Parquet file or a database."""
    if isinstance(value, UnreadableCell):
        raise ValueError(value.reason)  # noqa: TRY004 - a value of the data, worded for its quarantine
    assert isinstance(value, date)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"is not between the years {FIRST_YEAR} and {LAST_YEAR}")
    if not isinstance(value, datetime):
        return value, None
    return value.date(), None if value.tzinfo is None else value.astimezone(UTC)
