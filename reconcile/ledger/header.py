"""Finds the header of a ledger (it may stand below a title block), and which cell names which column."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from reconcile.core.errors import InputRefused
from reconcile.ledger.profile import COLUMNS, IN, OUT, REQUIRED, Profile
from reconcile.ledger.table import BrokenRecord, Cell, Record

SEARCHED_ROWS = 50
"""The number of first rows, blank ones not counted, among which the header is searched."""

_MAX_COMPARED = 500
"""Characters of a cell that are compared with the name of a column."""


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
    """False for the result of a query, which has no header row."""


def first_rows(records: Iterable[Record]) -> list[tuple[int, tuple[str, ...]]]:
    """The first records that are not blank, as (row number, texts)."""
    found = ((number, _texts(cells)) for number, cells in records)
    return list(islice(((number, texts) for number, texts in found if any(texts)), SEARCHED_ROWS))


def find_header(rows: Sequence[tuple[int, tuple[str, ...]]], profile: Profile) -> Header:
    """The row with the most names of wanted columns; the first one, if several have as many."""
    candidates = [_header(number, texts, profile) for number, texts in rows]
    return max(candidates, key=lambda header: header.matched, default=Header(0, (), (), 0))


def check_header(where: str, header: Header, profile: Profile, *, named_by_amounts: bool) -> None:
    """Raise InputRefused if a required column is missing or occurs twice.

    `named_by_amounts`: the amounts themselves name their currency, so a currency column is not required.
    """
    row = f"{where}, row {header.row}" if header.names_its_columns else where
    found = ", ".join(map(shown, header.cells[:20])) + (", …" if len(header.cells) > 20 else "")
    if absent := lacking(header, profile):
        columns = f"column{'s' if len(absent) > 1 else ''} {', '.join(absent)}"
        advice = "" if profile.columns else "; `reconcile ledger inspect` proposes a profile for other names"
        raise InputRefused(f"{row}: the header lacks the {columns}; found: {found}{advice}")
    keys = [_key(cell) for cell in header.cells]
    for name in (*COLUMNS, IN, OUT):
        if name in header.names and keys.count(_key(profile.columns.get(name, name))) > 1:
            raise InputRefused(
                f"{row}: the header repeats the column {_named(name, profile)}; keep one of them; found: {found}"
            )
    if "currency" not in header.names and profile.currency is None and not named_by_amounts:
        advice = "add it, or give the ledger's profile a currency"
        raise InputRefused(f"{row}: the header lacks the column currency; {advice}; found: {found}")


def lacking(header: Header, profile: Profile) -> list[str]:
    """The required columns that are missing, as error messages name them."""
    return [_named(name, profile) for name in _needed(profile) if name not in header.names]


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
    mapped = {_key(header): name for name, header in profile.columns.items()}
    unmapped = {name: name for name in COLUMNS if name not in profile.columns}
    if IN in profile.columns:
        del unmapped["amount"]
    wanted = unmapped | mapped
    names: dict[str, None] = {}
    matched: set[str] = set()
    for position, cell in enumerate(cells, start=1):
        standard = wanted.get(_key(cell))
        if standard is not None and standard not in names:
            matched.add(standard)
            names[standard] = None
            continue
        name = cell or f"column {position}"
        while name in names or name in COLUMNS or name in (IN, OUT):
            name = f"{name} (column {position})"
        names[name] = None
    return Header(row, cells, tuple(names), len(matched))


def _key(header: str) -> str:
    """A header for comparison: wide letters, invisible characters, white space and case do not count."""
    text = unicodedata.normalize("NFKC", header[:_MAX_COMPARED])
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split()).casefold()


def _needed(profile: Profile) -> list[str]:
    required = [name for name in REQUIRED if not (name == "amount" and IN in profile.columns)]
    return required + [name for name in profile.columns if name not in required]


def _named(name: str, profile: Profile) -> str:
    header = profile.columns.get(name)
    return name if header is None or _key(header) == name else f"{header!r} (for {name})"
