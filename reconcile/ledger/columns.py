"""Finds out how the dates and amounts of a ledger are written, from all rows, before any of them is read."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc

from reconcile.core.money import currency_code
from reconcile.ledger import currency_names, dates
from reconcile.ledger.amounts import USUAL, AmountColumn, AmountScan, AmountStyle
from reconcile.ledger.beside import Beside, side_doubts, unclear_sides
from reconcile.ledger.blocks import Block, Usual, in_blocks, match_whole
from reconcile.ledger.cut_amounts import CutAmounts
from reconcile.ledger.dates import ISO_DAY, DateColumn, DateStyle
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.header import Header
from reconcile.ledger.passed_over import TOTAL_IDS, Passed, Watch, amount_cells
from reconcile.ledger.profile import IN, OUT, TOML, Profile
from reconcile.ledger.table import BrokenRecord, Cell, Formatted, Record, Table, lost_digits, tidy
from reconcile.ledger.totals import checked

KEYS = ("reference", "transaction_id", "provider_order_id", "provider_txn_id")
"""Keys that an entry can do without."""

_ENOUGH = 3
"""Dates of each kind that a workbook must have before swapped days and months are suspected."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the dates and the amounts of one ledger are written."""

    dates: DateStyle = field(default_factory=DateStyle)
    amounts: AmountStyle = field(default_factory=AmountStyle)
    reference: re.Pattern[str] | None = None
    """Of the profile: what finds the reference."""
    currencies: frozenset[str] = frozenset()
    """Those that the ledger names without a doubt; they tell what a sign of several currencies means."""


@dataclass(frozen=True, slots=True)
class ColumnScan:
    """The result of one pass over all rows of a ledger."""

    style: Style
    rows: int
    """The number of rows below the header that are not blank."""
    dates: DateColumn
    amounts: AmountColumn
    unclear: tuple[str, ...]
    """A sentence for each kind of value that cannot be read without a guess; it says what to do."""
    refused: str | None
    """One of these sentences, where more than half of the rows could not be read; else None."""
    currencies: frozenset[str]
    """Named by amounts themselves."""
    passed: Passed = field(default_factory=Passed)
    """The rows that are no records."""
    sides: frozenset[str] = frozenset()
    """Words beside amounts, or in a column of their own, that name a side, and that the profile does not name."""
    last: int = 0
    """The number of the last record, and whether other rows are as short as it: a file that was cut off ends so."""
    short: int = 0
    days: Mapping[str, int] = field(default_factory=dict)
    """The dates that are texts and need a look, with the number of their rows."""
    blank_days: int = 0
    """Rows with an amount whose date is blank."""
    shortened: Mapping[str, int] = field(default_factory=dict)
    """By key other than the id, the rows in which a spreadsheet has shortened it."""
    cut: frozenset[int] = frozenset()
    """The numbers of rows whose amount was cut in two at its comma."""
    filled_down: bool = False
    """Whether the profile says that a blank date means the one above it."""

    usual: Usual = field(default_factory=dict, repr=False, compare=False)
    """What the next reading need not search again."""

    def notes(self) -> list[str]:
        """What an import should say of the rows, each in a sentence."""
        found = [
            f"{rows_of(count)} {'has' if count == 1 else 'have'} a {name} that a spreadsheet has shortened or spoiled: "
            "it counts as none; format the column as text before the file is saved"
            for name, count in sorted(self.shortened.items())
        ]
        if self.blank_days and not self.filled_down:
            found.append(
                f"{rows_of(self.blank_days)} with an amount {'has' if self.blank_days == 1 else 'have'} no date: if a "
                'blank one means the date above it, give the profile fill_down = ["date"]'
            )
        return found


def rows_of(number: int) -> str:
    """So many rows, in words."""
    return f"{number:,} row{'s' if number != 1 else ''}"


def profile_style(profile: Profile) -> Style:
    """What the profile says, where it says anything."""
    tells = profile.decimal is not None or profile.thousands is not None
    style = AmountStyle(
        (profile.decimal or ".") if tells else None,
        profile.thousands,
        from_profile=tells,
        side=profile.side,
        minor=profile.minor,
    )
    return Style(DateStyle(format=profile.date_format), style, profile.reference_pattern)


def scan_columns(table: Table, header: Header, profile: Profile) -> ColumnScan:
    """Read every row below the header once, twice where it has lines of totals. What the profile says is not asked of
    the columns."""
    seen = _Seen(table, header, profile)
    for part in _rows_to_scan(table, header, seen.beside.names if seen.beside else [], seen.cuts, seen.usual):
        if isinstance(part, _Plain):
            seen.see_plain(part)
        else:
            row, cells = part
            seen.see(row, cells)
    given = profile_style(profile)
    days = _days(seen, table, header, given.dates)
    column = AmountColumn(given.amounts, 0, None, {}) if given.amounts.from_profile else seen.amounts.column()
    doubts, sides = side_doubts(profile, seen.amounts, seen.beside)
    amounts = replace(given.amounts, decimal=column.style.decimal, doubts=doubts)
    named = known_currencies(seen.codes, seen.amounts, profile)
    passed = Passed(seen.watch.rows)
    if seen.watch.totals:
        only = next(iter(named)) if len(named) == 1 else None
        passed = checked(table, header, amounts, profile, seen.watch, profile.currency or only)
    unclear = [  # each with the number of rows that it spoils
        (_unclear_dates(days, seen.places, profile.name), sum(days.unclear.values())),
        (_unclear_amounts(column, profile.name), column.unclear),
        (_swapped(days, seen.texts, seen.real), seen.rows),
    ]
    return ColumnScan(
        style=replace(given, dates=days.style, amounts=amounts, currencies=named),
        rows=seen.rows - len(passed.rows),
        dates=days,
        amounts=column,
        unclear=tuple(
            says for says in (*(says for says, _ in unclear), unclear_sides(profile, doubts, sides)) if says
        ),
        refused=_another_table(seen.another, header)
        or next((says for says, rows in unclear if says and 2 * rows > seen.rows), None),
        currencies=frozenset(seen.amounts.currencies) or (named if seen.amounts.vague else frozenset()),
        passed=passed,
        sides=sides,
        last=seen.last,
        short=seen.short,
        days=seen.texts,
        blank_days=seen.blank_days,
        cut=seen.cuts.rows,
        shortened=seen.shortened,
        filled_down="date" in profile.fill_down,
        usual=seen.usual,
    )


def agreed(sheets: Sequence[ColumnScan], profile: Profile) -> list[ColumnScan]:
    """What the sheets of one workbook tell together: one of them may prove how the dates of another are written."""
    if len(sheets) < 2 or profile.date_format is not None:
        return list(sheets)
    texts: Counter[str] = Counter()
    for sheet in sheets:
        texts.update(sheet.days)
    together = dates.decide(texts)
    found = []
    for sheet in sheets:
        unclear = {text: rows for text, rows in sheet.dates.unclear.items() if text in together.unclear}
        if sheet.dates.unclear and not unclear:
            column = DateColumn(together.style, {}, together.proof)
            kept = tuple(says for says in sheet.unclear if not says.startswith("date "))
            refused = None if sheet.refused and sheet.refused.startswith("date ") else sheet.refused
            sheet = replace(
                sheet,
                style=replace(sheet.style, dates=together.style),
                dates=column,
                unclear=kept,
                refused=refused,
            )
        found.append(sheet)
    return found


@dataclass(frozen=True, slots=True)
class _Plain:
    """Rows of a block that tell nothing: their date is of ISO 8601, and their amount has no mark."""

    block: Block
    rows: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """How many they are."""
        return int(self.rows.sum())


class _Seen:
    """What the rows of a table tell that were seen so far."""

    def __init__(self, table: Table, header: Header, profile: Profile) -> None:
        self._header = header
        self._default_currency = profile.currency
        self._day = header.place("date")
        self._currency = header.place("currency")
        self._numbers = _places(header, ("amount", IN, OUT))
        self._keys = _places(header, KEYS)
        signs_alone = profile.side is None and [name for name, _ in self._numbers] == ["amount"]
        self.beside = Beside(table, header) if signs_alone else None
        self.amounts = AmountScan(profile.currencies.digits, profile.side)
        self.watch = Watch(header)
        self.cuts = CutAmounts(table, header, profile)
        self.usual: Usual = {}
        self.rows = 0
        """Those that are not blank."""
        self.last = 0
        """The number of the last one."""
        self.short = 0
        """How many have fewer cells than the header."""
        self.another: int | None = None
        """The number of a row that is the header of another table."""
        self.texts: Counter[str] = Counter()
        """The dates that are texts and need a look."""
        self.places: dict[str, int] = {}
        """The row of the first of each."""
        self.real: Counter[int] = Counter()
        """The days of the month of cells that are real dates."""
        self.blank_days = 0
        """Rows with an amount whose date is blank."""
        self.codes: Counter[str] = Counter()
        """What the column of currencies holds."""
        self.shortened: Counter[str] = Counter()
        """By key, the rows in which a spreadsheet has shortened it."""

    def see_plain(self, part: _Plain) -> None:
        """Take rows of a block into account that tell no more than their number and what stands beside it."""
        self.rows += part.count
        self.amounts.count_bare("amount", part.count)
        if self.beside is not None:
            self.beside.see_block(part.block, part.rows)
        if "currency" in part.block.cells:
            chosen = part.block.cells["currency"].filter(pa.array(part.rows))
            self.codes.update(pc.unique(chosen).to_pylist())

    def see(self, row: int, cells: Sequence[Cell] | BrokenRecord) -> None:
        """Take one row into account, whatever it is."""
        self.last = row
        if row <= self._header.row or isinstance(cells, BrokenRecord):
            return
        if self.another is None and self._header.is_another(cells):
            self.another = row
        fitted = self._header.fitted(cells)
        if fitted is None:
            self.rows += any(cells)
            self.watch.see_other(row, cells)
            return
        if not any(cells) or all(map(_is_blank, fitted)):
            return
        self.rows += 1
        self.short += len(cells) < len(fitted)
        if self.watch.see(row, fitted) is not None:
            return
        self.cuts.see(row, fitted)
        self._see_keys(fitted)
        if self._currency is not None and isinstance(code := fitted[self._currency], str):
            self.codes[code] += 1
        self._see_date(row, fitted)
        sign = self._see_amounts(row, fitted)
        if self.beside is not None:
            self.beside.see(fitted, sign)

    def _see_keys(self, cells: Sequence[Cell]) -> None:
        for name, place in self._keys:
            key = cells[place]
            if isinstance(key, str) and lost_digits(tidy(key)):
                self.shortened[name] += 1

    def _see_date(self, row: int, cells: Sequence[Cell]) -> None:
        written = None if self._day is None else cells[self._day]
        if isinstance(written, str):
            if len(written) >= 10 and written[4] == "-" == written[7]:  # ISO, as nearly all
                return
            text = dates.clean(tidy(written))
            if text:
                self.texts[text] += 1
                self.places.setdefault(text, row)
            elif row not in self.watch.totals and any(
                amount_cells(cells[place]) is not None for _, place in self._numbers
            ):
                self.blank_days += 1
        elif isinstance(written, date):
            self.real[written.day] += 1  # and in no way sure: a spreadsheet may have swapped day and month

    def _see_amounts(self, row: int, cells: Sequence[Cell]) -> str:
        """The sign of the last amount of the row: "-", "+" or ""."""
        code = self._default_currency if self._currency is None else cells[self._currency]
        sign = ""
        for name, place in self._numbers:
            amount = amount_cells(cells[place])
            if amount is None:
                continue
            sign = self.amounts.tally(name, amount)
            if isinstance(amount, str):
                self.amounts.add(row, amount, currency_code(code) if isinstance(code, str) else None)
            elif isinstance(amount, Formatted):
                self.amounts.see_dress(amount)
        return sign


def _is_blank(cell: Cell) -> bool:
    return isinstance(cell, str) and not cell.strip()


def _places(header: Header, names: Sequence[str]) -> list[tuple[str, int]]:
    """Those of these columns that there are, and where they stand, counted from 0."""
    return [(name, place) for name in names if (place := header.place(name)) is not None]


def _rows_to_scan(
    table: Table, header: Header, wanted: Sequence[str], cuts: CutAmounts, usual: Usual
) -> Iterator[Record | _Plain]:
    """The records of a table, those that tell nothing by the block. `wanted` are further columns to look at."""
    needed = ["ledger_id", "date", "amount"]
    if not (isinstance(table, DelimitedTable) and set(needed) <= set(header.names)):
        yield from table.records()
        return
    more = [*wanted, *([cuts.name] if cuts.name else ()), *({"currency"} & set(header.names))]
    for part in in_blocks(table, header, dict.fromkeys([*needed, *more]), usual):
        if not isinstance(part, Block):
            yield part
            continue
        plain = (
            part.usual & match_whole(part.cells["date"], ISO_DAY) & match_whole(part.cells["amount"], USUAL.pattern)
            & ~match_whole(part.cells["ledger_id"], TOTAL_IDS) & ~match_whole(part.cells["ledger_id"], " *")
        )  # fmt: skip
        # An amount with a point proves the point: one of them is as good as all.
        pointed = np.flatnonzero(plain & (pc.find_substring(part.cells["amount"], ".").to_numpy() >= 0))
        plain[pointed[:1]] = False
        # A row may be a further line of the one above.
        plain[:-1] &= plain[1:]
        plain[-1:] = False
        plain &= ~cuts.apart(part, plain)
        yield _Plain(part, plain)
        for index in np.flatnonzero(~plain).tolist():
            yield part.record(index)


def _days(seen: _Seen, table: Table, header: Header, given: DateStyle) -> DateColumn:
    """How the dates are written. Reads the table again where those that are no ISO dates do not show it."""
    if given.format is not None:
        return DateColumn(given, {}, {})
    days = dates.decide(seen.texts)
    return dates.decide(seen.texts, _sure_days(table, header, seen.usual)) if days.unclear else days


def _sure_days(table: Table, header: Header, usual: Usual) -> dates.SureDays:
    """The days that are written in ISO 8601, from another pass. Real dates of a workbook are not sure: a spreadsheet
    may have swapped day and month in them."""
    sure = dates.SureDays()
    place = header.names.index("date")
    texts: Counter[str] = Counter()
    records = (
        in_blocks(table, header, ["date"], usual) if isinstance(table, DelimitedTable) else table.records()
    )
    for part in records:
        if isinstance(part, Block):
            counts = pc.value_counts(part.cells["date"].filter(pa.array(part.usual)))
            texts.update(dict(zip(*(counts.field(number).to_pylist() for number in (0, 1)), strict=True)))
            rest = [part.record(index) for index in np.flatnonzero(~part.usual).tolist()]
        else:
            rest = [part]
        for row, cells in rest:
            if row > header.row and not isinstance(cells, BrokenRecord) and place < len(cells):
                texts[str(cells[place]) if isinstance(cells[place], str) else ""] += 1
    for text, rows in texts.items():
        if re.match(ISO_DAY, text, re.ASCII):
            with suppress(ValueError):  # it is no day, and normalise says so
                sure.add(date.fromisoformat(text[:10]), rows)
    return sure


def _another_table(row: int | None, header: Header) -> str | None:
    if row is None:
        return None
    return (
        f"row {row} names the columns anew and in other places than row {header.row}: what stands below it is another "
        "table; import the two as files of their own"
    )


def known_currencies(codes: Counter[str], scan: AmountScan, profile: Profile) -> frozenset[str]:
    """The currencies that cells and amounts name without a doubt; without any, what their signs usually mean."""
    digits = profile.currencies.digits
    found = set(scan.currencies) | ({profile.currency} if profile.currency else set())
    vague = set(scan.vague)
    for text in codes:
        code = currency_code(tidy(text))
        try:
            meanings = frozenset({code}) if code in digits else currency_names.named(tidy(text), digits)
        except ValueError:
            continue
        if len(meanings) == 1:
            found |= meanings
        elif meanings:
            vague.add(meanings)
    return frozenset(found | {code for meant in vague if (code := currency_names.settled(meant, found))})


def _unclear_dates(column: DateColumn, places: dict[str, int], name: str) -> str | None:
    if not column.unclear:
        return None
    text = min(column.unclear, key=lambda written: places[written])
    try:
        column.style.read(text)
    except ValueError as error:
        says = str(error).partition(":")[0]
    rows = sum(column.unclear.values())
    formats = dates.formats(text)
    return (
        f"date {text!r} in row {places[text]}{_more(rows)} {says}, and the column does not show which: "
        f'set it in {TOML}, [ledger.{name}] date_format = "{formats[0]}" or "{formats[1]}"'
    )


def _unclear_amounts(column: AmountColumn, name: str) -> str | None:
    if column.example is None:
        return None
    row, text = column.example
    marks = " and ".join(f"{shown!r} (row {at})" for at, shown in column.proof.values())
    why = f"since the column holds both {marks}" if marks else "and the column does not show which"
    return (
        f"amount {text!r} in row {row}{_more(column.unclear)} may use its mark for thousands or for decimals, {why}: "
        f'set it in {TOML}, [ledger.{name}] decimal = "." or ","'
    )


def _more(rows: int) -> str:
    return f" and in {rows - 1:,} more" if rows > 1 else ""


def _swapped(column: DateColumn, texts: Counter[str], real: Counter[int]) -> str | None:
    """A spreadsheet that expects the month first makes 03/04/2026 a real date, and leaves 13/04/2026 a text."""
    later = [text for text in texts if dates.shape_of(text)]
    if sum(real.values()) < _ENOUGH or max(real) > 12 or sum(texts[text] for text in later) < _ENOUGH:
        return None
    for text in later:
        try:
            if column.style.read(text)[0].day <= 12:
                return None
        except ValueError:
            continue
    return (
        f"the column date holds real dates of the days 1 to 12 only, and later days as text such as {later[0]!r}: "
        "a spreadsheet has swapped day and month in the real ones; export the ledger again, and do not save it there"
    )
