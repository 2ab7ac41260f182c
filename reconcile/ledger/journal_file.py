"""A journal that was exported, as a ledger: its lines on the ledger's own account say how each entry stands.

The other lines have no amount of an entry: they are further lines of the row above. `reconcile.load.journal_check`
compares what a file says with what was exported.
"""

import re

from reconcile.core.journal import MARKS, READ_BACK
from reconcile.ledger.formats.delimited import DelimitedTable
from reconcile.ledger.header import Header, text_of
from reconcile.ledger.profile import Profile
from reconcile.ledger.table import BrokenRecord, Table

_AMOUNTS = frozenset({"debit", "credit", "amount"})
_DECIMAL_COMMA = re.compile(r'\s*(?:=")?-?[\d.]*\d,\d+"?\s*')


def is_journal(header: Header) -> bool:
    """Whether a table is a journal, by its header; also one that a spreadsheet saved in another format."""
    return {cell.strip().casefold() for cell in header.cells} >= MARKS


def journal_profile(profile: Profile, table: Table, header: Header) -> Profile:
    """How this journal is read, which books into the ledger of this profile.

    Where something else than a comma stands between cells, amounts may have a decimal comma.
    """
    places = [place for place, cell in enumerate(header.cells) if cell.strip().casefold() in _AMOUNTS]
    comma = (
        isinstance(table, DelimitedTable)
        and table.delimiter != ","
        and any(
            place < len(cells) and _DECIMAL_COMMA.fullmatch(text_of(cells[place]))
            for _, cells in table.records()
            if not isinstance(cells, BrokenRecord)
            for place in places
        )
    )
    decimal = "," if comma else "."
    return Profile(profile.name, columns=READ_BACK, decimal=decimal, currencies=profile.currencies)
