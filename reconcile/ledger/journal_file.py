"""A journal that was exported, as a ledger: its lines on the ledger's own account say how each entry stands.

The other lines have no amount of an entry: they are further lines of the row above. `reconcile.load.journal_check`
compares what a file says with what was exported.
"""

import re
from pathlib import Path

from reconcile.core.journal import MARKS, READ_BACK
from reconcile.ledger.profile import Profile

_BEGINNING = 2_000  # bytes, in which the header of a CSV file stands


def is_journal(path: Path) -> bool:
    """Whether a file is a journal, by its first line; also one that a spreadsheet saved with other delimiters."""
    try:
        with path.open("rb") as file:
            first = file.read(_BEGINNING).decode("utf-8-sig", "replace").partition("\n")[0]
    except OSError:
        return False
    return {word.strip(' "\r') for word in re.split("[,;\t]", first)} >= MARKS


def journal_profile(profile: Profile, path: Path) -> Profile:
    """How this journal is read, which books into the ledger of this profile.

    Where semicolons stand between cells, amounts may have a decimal comma.
    """
    comma = re.search(rb';"?-?\d+,\d', path.read_bytes()) is not None
    decimal = "," if comma else "."
    return Profile(profile.name, columns=READ_BACK, decimal=decimal, currencies=profile.currencies)
