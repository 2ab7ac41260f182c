"""Writes files whole or not at all, and says why one cannot be written.

A full disk is nobody's wrong use, and so DiskFull; whatever else stops a write is UsageError, about the name that was
given.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from reconcile.core.errors import DISK_FULL, DiskFull, ReconcileError, UsageError


def unwritten(what: object, error: OSError) -> ReconcileError:
    """What is to be reported of a write that failed."""
    if error.errno in DISK_FULL:
        return DiskFull(f"{what}: {error.strerror}: free space and start again")
    return UsageError(f"{what} cannot be written: {error.strerror or error}")


def tells_of_full_disk(said: str) -> bool:
    """Whether another program's words say that a disk was full."""
    return any(os.strerror(number) in said for number in DISK_FULL)


@contextmanager
def writing(what: object) -> Iterator[None]:
    """Raises DiskFull or UsageError, which name `what`, for an error of the file system."""
    try:
        yield
    except OSError as error:
        raise unwritten(what, error) from None


@contextmanager
def whole_file(path: Path, what: object = None, *, new: bool = False) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` at the end; after an error there is nothing of it.

    What is no file, such as /dev/stdout, is written itself. Raises as `writing` does; `what` is `path` if not given. A
    file that must be `new` never takes the place of another.
    """
    with writing(what or path):
        if path.exists() and not path.is_file():
            yield path
            return
        target = Path(os.path.realpath(path))  # a link stays one
        # Of this process alone: two that write one file must not take each other's.
        aside = target.with_name(f".{target.name}.{os.getpid()}.writing")
        try:
            yield aside
            if new:
                _place_new(aside, target)
            else:
                aside.replace(target)
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)


def _place_new(aside: Path, target: Path) -> None:
    try:
        os.link(aside, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as one of a memory stick
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        aside.replace(target)


def check_folder(path: Path, what: object) -> None:
    """Make a folder, and raise as `writing` does unless files can be written into it: before work that takes long."""
    with writing(what):
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            pass
