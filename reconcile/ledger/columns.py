"""Finds out how the dates and amounts of a ledger are written, from all rows, before any of them is read."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from pyarrow import compute as pc

from reconcile.core.money import currency_code
from reconcile.ledger import dates
from reconcile.ledger.amounts import USUAL, AmountColumn, AmountScan, AmountStyle
from reconcile.ledger.blocks import Block, in_blocks, match_whole
from reconcile.ledger.dates import ISO_DAY, DateColumn, DateStyle
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.header import Header
from reconcile.ledger.profile import IN, OUT, TOML, Profile
from reconcile.ledger.table import BrokenRecord, Record, Table

_ENOUGH = 3
"""Dates of each kind that a workbook must have before swapped days and months are suspected."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the dates and the amounts of one ledger are written."""

    dates: DateStyle = field(default_factory=DateStyle)
    amounts: AmountStyle = field(default_factory=AmountStyle)


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
    """The currencies that amounts themselves name, as in `INR 500`."""


def profile_style(profile: Profile) -> Style:
    """How dates and amounts are written by the profile, as far as it says."""
    stated = profile.decimal is not None or profile.thousands is not None
    style = (
        AmountStyle(profile.decimal or ".", profile.thousands, from_profile=True) if stated else AmountStyle()
    )
    return Style(DateStyle(format=profile.date_format), style)


def scan_columns(table: Table, header: Header, profile: Profile) -> ColumnScan:
    """Read every row below the header once. What the profile states is not detected."""
    style = profile_style(profile)
    day = _place("date", header)
    currency = _place("currency", header)
    numbers = [place for name in ("amount", IN, OUT) if (place := _place(name, header)) is not None]
    width = len(header.names)
    texts: Counter[str] = Counter()
    places: dict[str, int] = {}
    real: Counter[int] = Counter()  # days of the month of cells that are real dates
    scan = AmountScan(profile.currencies.digits)
    rows = 0
    for row, cells in _rows_to_scan(table, header):
        if cells is None:
            rows += row
            continue
        if row <= header.row or isinstance(cells, BrokenRecord):
            continue
        if len(cells) != width:
            rows += any(cells)
            continue
        if not any(cells):
            continue
        rows += 1
        if day is not None:
            written = cells[day]
            if isinstance(written, str):
                if not (len(written) >= 10 and written[4] == "-" == written[7]):  # ISO, as nearly all
                    text = dates.clean(written)
                    texts[text] += 1
                    places.setdefault(text, row)
            elif isinstance(written, date):
                real[written.day] += 1
        for place in numbers:
            amount = cells[place]
            if isinstance(amount, str) and amount:
                code = cells[currency] if currency is not None else profile.currency
                scan.add(row, amount, currency_code(code) if isinstance(code, str) else None)
    days = dates.decide(texts)
    if style.dates.format is not None:
        days = DateColumn(style.dates, {}, {})
    column = scan.column()
    if style.amounts.from_profile:
        column = AmountColumn(style.amounts, 0, None, {})
    unclear = [
        _unclear_dates(days, places, profile.name),
        _unclear_amounts(column, profile.name),
        _swapped(days, texts, real),
    ]
    costs = [sum(days.unclear.values()), column.unclear, rows if unclear[2] else 0]
    refused = next(
        (says for says, cost in zip(unclear, costs, strict=True) if says and 2 * cost > rows), None
    )
    return ColumnScan(
        style=Style(days.style, column.style),
        rows=rows,
        dates=days,
        amounts=column,
        unclear=tuple(says for says in unclear if says),
        refused=refused,
        currencies=frozenset(scan.currencies),
    )


def _rows_to_scan(table: Table, header: Header) -> Iterator[Record | tuple[int, None]]:
    """The records of a table. Where a date is ISO 8601 and the amount has no mark, the record proves nothing: such
    records may be given as a count, (how many, None)."""
    if not (isinstance(table, DelimitedTable) and {"date", "amount"} <= set(header.names)):
        yield from table.records()
        return
    for part in in_blocks(table, header, ("date", "amount")):
        if not isinstance(part, Block):
            yield part
            continue
        simple = (
            part.usual
            & match_whole(part.cells["date"], ISO_DAY)
            & match_whole(part.cells["amount"], USUAL.pattern)
        )
        # An amount with a point proves the point: one of them is as good as all.
        pointed = np.flatnonzero(simple & (pc.find_substring(part.cells["amount"], ".").to_numpy() >= 0))
        simple[pointed[:1]] = False
        yield int(simple.sum()), None
        for index in np.flatnonzero(~simple).tolist():
            yield part.record(index)


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
