"""What `reconcile ledger inspect` finds in a file that a person should look at before it is imported."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from reconcile.ledger.columns import ColumnScan
from reconcile.ledger.dates import ORDERS
from reconcile.ledger.file import LedgerFile
from reconcile.ledger.header import Header
from reconcile.ledger.profile import IN, OUT, Profile
from reconcile.ledger.table import BrokenRecord, Cell, tidy, twice_decoded
from reconcile.load.inspect_proposal import FIRST, Looked
from reconcile.load.known_amounts import Hundredfold

_WIDTH = 28
"""Characters of a cell that are shown."""


def dates_said(scan: ColumnScan, profile: Profile) -> str:
    """How the dates are written, and what proves it."""
    column = scan.dates
    if profile.date_format is not None:
        return f"as the profile says, {profile.date_format}"
    found = [
        ORDERS[order] + (f": {column.proof[shape]} can be nothing else" if column.proof.get(shape) else "")
        for shape, order in column.style.orders.items()
        if order is not None
    ]
    if column.unclear:
        found.append("not clear, see below")
    return "; ".join(found) or "need no guess"


def amounts_said(scan: ColumnScan) -> str:
    """How the amounts are written, and what proves it."""
    column = scan.amounts
    if column.style.from_profile:
        return "as the profile says"
    found = [
        f"decimal {'point' if mark == '.' else 'comma'} ({text!r} in row {row} can be nothing else)"
        for mark, (row, text) in column.proof.items()
    ]
    if column.unclear:
        found.append("not clear, see below")
    return "; ".join(found) or "need no guess"


def doubts_of(looked: Looked, scan: ColumnScan, minor: Hundredfold | None) -> list[str]:
    """What is ambiguous or odd, each in a sentence that says what to do."""
    ledger, proposed = looked.ledger, looked.guessed
    says = [looked.doubt, *scan.unclear] if looked.doubt else list(scan.unclear)
    says += [*ledger.notes(), *_oddities(ledger, named_minor=minor is None)]
    if minor is not None:
        says.append(
            f"the amounts are those of KS Pay in the minor unit (paise, cents): {minor.reference} has {minor.amount:f} "
            f'here and {minor.partner:f} there; give the profile amounts = "minor"'
        )
    if IN in proposed:
        says.append(
            f"{proposed[IN]!r} is taken for money that came in and {proposed[OUT]!r} for money that went out, as in "
            "the account of a bank or of KS Pay in your own books; in a bank's statement it is the other way round"
        )
    return says


def _oddities(ledger: LedgerFile, *, named_minor: bool) -> Iterator[str]:
    """What a person would ask about, seen in the header and in the first rows."""
    header = ledger.header
    if header.row:
        below = next((cells for number, cells in ledger.table.records() if number > header.row), ())
        if not isinstance(below, BrokenRecord) and _continues_header(header, below):
            yield (
                f"the header seems to stand in two rows, {header.row} and {header.row + 1}: write it in one row, or "
                "the second of them is taken for an entry"
            )
    for cell, name in zip(header.cells, header.names, strict=True):
        if name in ("amount", IN, OUT) and _MINOR.search(cell) and named_minor and not ledger.profile.minor:
            yield (
                f"{cell!r} may be in the minor unit (paise, cents), 100 times the amounts of KS Pay: then give the "
                'profile amounts = "minor"'
            )
    for row in islice(ledger.rows(), FIRST):
        for value in row.values.values():
            if isinstance(value, str) and (once := twice_decoded(value)) is not None:
                yield (
                    f"row {row.place.row} holds text that was decoded twice ({cut(value)!r} was {cut(once)!r}): "
                    "export the file again as UTF-8"
                )
                return


_MINOR = re.compile(r"paise|paisa|minor|\bcents?\b|\bpence\b|\bfils\b|_cents$", re.IGNORECASE)


def _continues_header(header: Header, cells: Sequence[Cell]) -> bool:
    """Whether the row below a header gives names to columns that have none, and holds no value."""
    texts = [tidy(cell) if isinstance(cell, str) else "?" for cell in cells]
    filled = [text for text in texts if text]
    nameless = [place for place, cell in enumerate(header.cells) if not cell]
    return (
        bool(filled)
        and all(re.search(r"[^\W\d_]", text) and not any(map(str.isdigit, text)) for text in filled)
        and any(place < len(texts) and texts[place] for place in nameless)
    )


def cut(text: str) -> str:
    """A cell on one line, no longer than is shown."""
    line = " ".join("".join(letter if letter.isprintable() else "?" for letter in text).split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
