"""Finds the header of a ledger (it may stand below a title block), and which cell names which column."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from reconcile.core.errors import InputRefused
from reconcile.ledger.profile import COLUMNS, IN, OUT, REQUIRED, SIDE, Profile
from reconcile.ledger.table import BrokenRecord, Cell, Record, tidy

SEARCHED_ROWS = 50
"""The number of first rows, blank ones not counted, among which the header is searched."""

_MAX_COMPARED = 500
"""Characters of a cell that are compared with the name of a column."""

STANDARD = (*COLUMNS, IN, OUT, SIDE)

LOOK = "`reconcile ledger inspect` proposes a profile for other names"
"""The advice where columns are not found."""

_NUMBERED = re.compile(r"(.+)#([1-9]\d?)", re.DOTALL)
"""A profile's `Amount#2`: the second column of that name."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header row of a table."""

    row: int
    """The row number; 0 for a table without any text."""
    cells: tuple[str, ...]
    """The texts as written, without white space around them."""
    names: tuple[str, ...]
    """The name of each column: the standard name if it has one, else as written. All names differ."""
    matched: int
    """The number of standard names."""
    names_its_columns: bool = True
    """False for a query's result, which has no row of headers."""
    id_places: tuple[int, ...] = ()
    """Where the columns stand that together are the ledger_id, counted from 0; empty where it is one column."""

    def place(self, name: str) -> int | None:
        """Where a standard column stands, counted from 0."""
        return self.names.index(name) if name in self.names else None

    def fitted(self, cells: Sequence[Cell]) -> Sequence[Cell] | None:
        """A row with as many cells as there are columns: blank ones at its end are dropped, and optional ones that
        are missing there are blank. None where which cell is missing or was cut in two cannot be known."""
        width = len(self.names)
        if len(cells) == width:  # as nearly every row
            return cells
        if len(cells) > width:
            surplus = cells[width:]
            return (
                cells[:width] if all(isinstance(cell, str) and not tidy(cell) for cell in surplus) else None
            )
        missing = set(self.names[len(cells) :])
        needed = missing & {"ledger_id", "amount", "date", SIDE}
        if needed or {IN, OUT} <= missing or any(place >= len(cells) for place in self.id_places):
            return None
        return [*cells, *[""] * (width - len(cells))]

    def is_repeated_by(self, cells: Sequence[Cell]) -> bool:
        """Whether a row is the header once more."""
        if self.row == 0 or not cells:
            return False
        first = text_of(cells[0])
        if first.isascii() and first.strip().casefold() != self.cells[0].casefold():  # as nearly every row
            return False
        texts = [_key(text_of(cell)) for cell in cells]
        own = [_key(cell) for cell in self.cells]
        while texts and not texts[-1]:
            texts.pop()
        while own and not own[-1]:
            own.pop()
        return texts == own

    def is_another(self, cells: Sequence[Cell]) -> bool:
        """Whether a row holds all names of the columns that are needed, but not where this header has them: what
        stands below it is another table."""
        needed = [
            place
            for place, name in enumerate(self.names)
            if name in ("ledger_id", "amount", "date", IN, OUT, SIDE) or place in self.id_places
        ]
        if self.row == 0 or len(cells) < len(needed) or len(needed) < len(REQUIRED):
            return False
        amount = max(place for place in needed)
        if amount < len(cells) and any(map(str.isdigit, text_of(cells[amount])[:20])):  # as nearly every row
            return False
        texts = [_key(text_of(cell)) for cell in cells]
        own = {place: _key(self.cells[place]) for place in needed}
        return set(own.values()) <= set(texts) and any(
            place >= len(texts) or texts[place] != name for place, name in own.items()
        )


def first_rows(records: Iterable[Record]) -> list[tuple[int, tuple[str, ...]]]:
    """The first records that are not blank, as (row number, texts)."""
    found = ((number, _texts(cells)) for number, cells in records)
    return list(islice(((number, texts) for number, texts in found if any(texts)), SEARCHED_ROWS))


def find_header(rows: Sequence[tuple[int, tuple[str, ...]]], profile: Profile) -> Header:
    """The row with the most names of wanted columns; the first one, if several have as many."""
    candidates = [_header(number, texts, profile) for number, texts in rows]
    return max(candidates, key=lambda header: header.matched, default=Header(0, (), (), 0))


def check_header(
    where: str, header: Header, profile: Profile, *, named_by_amounts: bool, notes: Sequence[str] = ()
) -> None:
    """Raises InputRefused if a column that is needed is missing or stands twice.

    `named_by_amounts`: the amounts themselves name their currency. `notes` may say why a column is not found.
    """
    row = f"{where}, row {header.row}" if header.names_its_columns else where
    found = ", ".join(map(shown, header.cells[:20])) + (", …" if len(header.cells) > 20 else "")
    if absent := lacking(header, profile):
        columns = f"column{'s' if len(absent) > 1 else ''} {', '.join(absent)}"
        advice = "" if profile.columns else f"; {LOOK}"
        if absent == ["ledger_id"]:
            advice = (
                "; where no column is an id, number the rows, or give the ledger's profile several columns that "
                'together are one: ledger_id = ["Date", "Description", "Amount"]'
            )
        advice += "".join(f"; {says}" for says in notes)
        if len(absent) == len(_needed(profile)) + len(profile.id_columns):
            # It may be no ledger at all, but a file of keys: nothing of it is repeated, since others may read this.
            raise InputRefused(f"{row}: the header lacks the {columns}; none of its names is known{advice}")
        raise InputRefused(f"{row}: the header lacks the {columns}; found: {found}{advice}")
    keys = [_key(cell) for cell in header.cells]
    for name in STANDARD:
        written = profile.columns.get(name, name)
        if name in header.names and keys.count(_key(written)) > 1:
            raise InputRefused(
                f"{row}: the header repeats the column {_named(name, profile)}; keep one of them, or say in a profile "
                f'which is meant: {name} = "{written}#1" or "{written}#2"; found: {found}'
            )
    if "currency" not in header.names and profile.currency is None and not named_by_amounts:
        advice = "add it, or give the ledger's profile a currency"
        raise InputRefused(f"{row}: the header lacks the column currency; {advice}; found: {found}")


def lacking(header: Header, profile: Profile) -> list[str]:
    """The columns that are needed and are not there, as errors name them."""
    absent = [_named(name, profile) for name in _needed(profile) if name not in header.names]
    keys = [_key(cell) for cell in header.cells]
    return absent + [
        f"{column!r} (for ledger_id)" for column in profile.id_columns if _place_of(column, keys) is None
    ]


def shown(cell: str) -> str:
    """A header for error messages; where it mixes Latin letters with look-alikes, those are shown as code points."""
    text = cell if len(cell) <= 40 else cell[:40] + "…"
    letters = {unicodedata.name(letter, "").partition(" ")[0] for letter in text if letter.isalpha()}
    mixed = len(letters) > 1 and "LATIN" in letters
    return text if text and text.isprintable() and not mixed else ascii(text)


def text_of(cell: Cell) -> str:
    """Any cell as a text."""
    return cell if isinstance(cell, str) else str(cell)


def _texts(cells: Sequence[Cell] | BrokenRecord) -> tuple[str, ...]:
    if isinstance(cells, BrokenRecord):
        return (cells.line.strip(),)
    texts = tuple(text_of(cell).strip() for cell in cells)
    # A blank row `,,,` that is cut with another delimiter is one cell of delimiters.
    return texts if any(text.strip(",;\t|") for text in texts) else ()


def _header(row: int, cells: tuple[str, ...], profile: Profile) -> Header:
    keys = [_key(cell) for cell in cells]
    wanted = {name: name for name in COLUMNS} | dict(profile.columns)
    if IN in profile.columns:
        del wanted["amount"]
    if profile.id_columns:
        del wanted["ledger_id"]
    at: dict[int, str] = {}
    for name, header in wanted.items():
        place = _place_of(header, keys)
        if place is not None and (place not in at or name in profile.columns):
            at[place] = name
    names: dict[str, None] = {}
    for position, cell in enumerate(cells):
        name = at.get(position, cell or f"column {position + 1}")
        while position not in at and (name in names or name in STANDARD):
            name = f"{name} (column {position + 1})"
        names[name] = None
    id_places = [_place_of(header, keys) for header in profile.id_columns]
    found = tuple(place for place in id_places if place is not None)
    return Header(row, cells, tuple(names), len(at) + len(found), id_places=found)


def _place_of(header: str, keys: Sequence[str]) -> int | None:
    """The position of the column with this header, counted from 0; of several the one with the number behind `#`."""
    key = _key(header)
    if key in keys:
        return keys.index(key)
    if numbered := _NUMBERED.fullmatch(header):
        key, number = _key(numbered[1]), int(numbered[2])
        places = [place for place, other in enumerate(keys) if other == key]
        return places[number - 1] if number <= len(places) else None
    return None


def _key(header: str) -> str:
    """What two headers that look alike have in common: wide letters, invisible ones and blanks do not count."""
    return _key_of(header[:_MAX_COMPARED])


@lru_cache(4096)  # each row that may be the header is asked for each column, in each way of cutting the file
def _key_of(header: str) -> str:
    text = unicodedata.normalize("NFKC", tidy(header))
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split()).casefold()


def _needed(profile: Profile) -> list[str]:
    given = {"amount": IN in profile.columns, "ledger_id": bool(profile.id_columns)}
    required = [name for name in REQUIRED if not given.get(name)]
    return required + [name for name in profile.columns if name not in required]


def _named(name: str, profile: Profile) -> str:
    header = profile.columns.get(name)
    return name if header is None or _key(header) == name else f"{header!r} (for {name})"
