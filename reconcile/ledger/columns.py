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
from reconcile.ledger.table import BrokenRecord, Formatted, Record, Table, lost_digits, tidy
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
    style = profile_style(profile)
    day = _place("date", header)
    currency = _place("currency", header)
    numbers = [(name, place) for name in ("amount", IN, OUT) if (place := _place(name, header)) is not None]
    names = [name for name, _ in numbers]
    beside = Beside(table, header) if profile.side is None and names == ["amount"] else None
    texts: Counter[str] = Counter()
    places: dict[str, int] = {}
    real: Counter[int] = Counter()  # days of the month of cells that are real dates
    scan = AmountScan(profile.currencies.digits, profile.side)
    watch = Watch(header)
    cuts = CutAmounts(table, header, profile)
    usual: Usual = {}
    codes: Counter[str] = Counter()  # what the column of currencies holds
    shortened: Counter[str] = Counter()
    keys = [(name, place) for name in KEYS if (place := _place(name, header)) is not None]
    rows = last = short = blank_days = 0
    another: int | None = None
    for part in _rows_to_scan(table, header, [*(beside.names if beside else ())], cuts, usual):
        if isinstance(part, _Plain):
            rows += part.count
            scan.count_bare("amount", part.count)
            part.note(beside, codes)
            continue
        row, cells = part
        last = row
        if row <= header.row or isinstance(cells, BrokenRecord):
            continue
        if another is None and header.is_another(cells):
            another = row
        fitted = header.fitted(cells)
        if fitted is None:
            rows += any(cells)
            watch.see_other(row, cells)
            continue
        if not any(cells) or all(isinstance(cell, str) and not cell.strip() for cell in fitted):
            continue
        rows += 1
        short += len(cells) < len(fitted)
        if watch.see(row, fitted) is not None:
            continue
        cuts.see(row, fitted)
        for name, place in keys:
            key = fitted[place]
            if isinstance(key, str) and lost_digits(tidy(key)):
                shortened[name] += 1
        if currency is not None and isinstance(fitted[currency], str):
            codes[str(fitted[currency])] += 1
        if day is not None:
            written = fitted[day]
            if isinstance(written, str):
                if not (len(written) >= 10 and written[4] == "-" == written[7]):  # ISO, as nearly all
                    text = dates.clean(tidy(written))
                    if text:
                        texts[text] += 1
                        places.setdefault(text, row)
                    elif row not in watch.totals and any(
                        amount_cells(fitted[place]) is not None for _, place in numbers
                    ):
                        blank_days += 1
            elif isinstance(written, date):
                real[written.day] += 1  # and in no way sure: a spreadsheet may have swapped day and month
        sign = ""
        for name, place in numbers:
            amount = amount_cells(fitted[place])
            if amount is None:
                continue
            sign = scan.tally(name, amount)
            code = fitted[currency] if currency is not None else profile.currency
            if isinstance(amount, str):
                scan.add(row, amount, currency_code(code) if isinstance(code, str) else None)
            elif isinstance(amount, Formatted):
                scan.see_dress(amount)
        if beside is not None:
            beside.see(fitted, sign)
    days = dates.decide(texts)
    if days.unclear:
        days = dates.decide(texts, _sure_days(table, header, usual))
    if style.dates.format is not None:
        days = DateColumn(style.dates, {}, {})
    column = scan.column()
    if style.amounts.from_profile:
        column = AmountColumn(style.amounts, 0, None, {})
    doubts, sides = side_doubts(profile, scan, beside)
    amounts = replace(style.amounts, decimal=column.style.decimal, doubts=doubts)
    passed = Passed(watch.rows)
    named = known_currencies(codes, scan, profile)
    found_style = Style(days.style, amounts, style.reference, currencies=named)
    if watch.totals:
        only = next(iter(named)) if len(named) == 1 else None
        passed = checked(table, header, found_style.amounts, profile, watch, profile.currency or only)
    unclear = [
        _unclear_dates(days, places, profile.name),
        _unclear_amounts(column, profile.name),
        _swapped(days, texts, real),
    ]
    costs = [sum(days.unclear.values()), column.unclear, rows if unclear[2] else 0]
    refused = _another_table(another, header) or next(
        (says for says, cost in zip(unclear, costs, strict=True) if says and 2 * cost > rows), None
    )
    return ColumnScan(
        style=found_style,
        rows=rows - len(passed.rows),
        dates=days,
        amounts=column,
        unclear=tuple(says for says in (*unclear, unclear_sides(profile, doubts, sides)) if says),
        refused=refused,
        currencies=frozenset(scan.currencies) or (named if scan.vague else frozenset()),
        passed=passed,
        sides=sides,
        last=last,
        short=short,
        days=texts,
        blank_days=blank_days,
        cut=cuts.rows,
        shortened=shortened,
        filled_down="date" in profile.fill_down,
        usual=usual,
    )


def agreed(sheets: Sequence[ColumnScan], profile: Profile) -> list[ColumnScan]:
    """What the sheets of one workbook tell together: one of them may prove how the dates of another are written."""
    if len(sheets) < 2 or profile.date_format is not None:
        return list(sheets)
    texts: Counter[str] = Counter()
    for one in sheets:
        texts.update(one.days)
    together = dates.decide(texts)
    found = []
    for one in sheets:
        unclear = {text: rows for text, rows in one.dates.unclear.items() if text in together.unclear}
        if one.dates.unclear and not unclear:
            column = DateColumn(together.style, {}, together.proof)
            kept = tuple(says for says in one.unclear if not says.startswith("date "))
            refused = None if one.refused and one.refused.startswith("date ") else one.refused
            one = replace(
                one,
                style=replace(one.style, dates=together.style),
                dates=column,
                unclear=kept,
                refused=refused,
            )
        found.append(one)
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

    def note(self, beside: Beside | None, codes: Counter[str]) -> None:
        """Hand on what they tell nevertheless."""
        if beside is not None:
            beside.see_block(self.block, self.rows)
        if "currency" in self.block.cells:
            chosen = self.block.cells["currency"].filter(pa.array(self.rows))
            codes.update(pc.unique(chosen).to_pylist())


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
            texts.update(dict(zip(*(counts.field(one).to_pylist() for one in (0, 1)), strict=True)))
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
    return frozenset(found | {code for one in vague if (code := currency_names.settled(one, found))})


def _place(name: str, header: Header) -> int | None:
    return header.names.index(name) if name in header.names else None


def _unclear_dates(column: DateColumn, places: dict[str, int], name: str) -> str | None:
    if not column.unclear:
        return None
    text = min(column.unclear, key=lambda one: places[one])
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
