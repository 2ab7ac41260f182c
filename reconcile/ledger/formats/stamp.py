"""Whether a file is still the one that was looked at before: a ledger is read several times."""

import os
from pathlib import Path

from reconcile.core.errors import UnfinishedFile

Stamp = tuple[int, int]
"""The size of a file, and when it was written. Not its inode: on some network drives that changes by itself."""


def stamp_of(file: int | Path) -> Stamp:
    """The stamp of a file, by its path or its descriptor. Raises OSError."""
    found = os.stat(file)
    return found.st_size, found.st_mtime_ns


def check_unchanged(path: Path, stamp: Stamp, where: str | Path) -> None:
    """Raises UnfinishedFile if the file was written, replaced or removed since it had this stamp."""
    try:
        unchanged = stamp_of(path) == stamp
    except OSError:
        unchanged = False
    if not unchanged:
        raise UnfinishedFile(where)
