"""Unpacks ledgers from `.gz` and `.zip` files into a temporary folder; limits what they may unpack to."""

import gzip
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import IO

from reconcile.core.errors import InputRefused

MAX_UNPACKED = 2**30
"""Bytes of all files in one archive together; people unpack a larger ledger themselves."""

MAX_RATIO = 200
"""How many times its own size an archive may unpack to. Real ledgers unpack to 5 to 40 times."""

_SMALL = 2**26
"""Bytes up to which the ratio is not checked."""

_BLOCK = 2**20
_PASSED_OVER = ("__MACOSX/",)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that can be read: itself, or unpacked from an archive."""

    path: Path
    where: str
    """The path as error messages name it."""
    name: str
    """The name that the quarantine shows: the base name, or `august.zip/receipts.csv` for a file in an archive."""
    folder: tempfile.TemporaryDirectory[str] | None = None
    """The temporary folder of the unpacked file; it is removed when nothing refers to it any more."""


def unpack(path: Path, name: str) -> list[SourceFile]:
    """The files in an archive, sorted by name; raises InputRefused if it is damaged, locked or far too large."""
    folder = tempfile.TemporaryDirectory(prefix="reconcile-")
    try:
        with path.open("rb") as file:
            packed = file.seek(0, 2)
            zipped = zipfile.is_zipfile(file)
            file.seek(0)
            found = _zip(path, file, name) if zipped else _gzip(path, file, name)
            taken = 0
            files: list[SourceFile] = []
            for number, (label, content) in enumerate(found):
                target = Path(folder.name) / str(number)
                taken = _copy(path, content, target, taken, packed)
                files.append(SourceFile(target, f"{path.parent / label}", label, folder))
    except (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise InputRefused(f"{path}: is cut off or damaged ({error}); fetch it again") from None
    except (NotImplementedError, RuntimeError):  # an unknown compression; a password
        raise InputRefused(
            f"{path}: is locked with a password, or packed in a way that is not read"
        ) from None
    except OSError as error:
        if error.errno != EINVAL:  # a part would begin before the file does
            raise
        raise InputRefused(f"{path}: is cut off or damaged; fetch it again") from None
    except (
        UnicodeDecodeError,
        ValueError,
        OverflowError,
    ) as error:  # names, sizes and dates that make no sense
        raise InputRefused(f"{path}: is not an archive that can be read ({error}); fetch it again") from None
    if not files:
        raise InputRefused(f"{path}: holds no file")
    return sorted(files, key=lambda member: member.name)


def check_size(path: Path, unpacked: int, packed: int) -> None:
    """Raise InputRefused if an archive of `packed` bytes unpacks to more than MAX_UNPACKED or MAX_RATIO allow."""
    if unpacked > MAX_UNPACKED:
        raise InputRefused(
            f"{path}: unpacks to more than {MAX_UNPACKED // 2**30} GiB; unpack it, and give the file"
        )
    if unpacked > _SMALL and unpacked > MAX_RATIO * packed:
        raise InputRefused(f"{path}: unpacks to more than {MAX_RATIO} times its size: that is no ledger")


def _gzip(_path: Path, file: IO[bytes], name: str) -> Iterator[tuple[str, IO[bytes]]]:
    with gzip.open(file) as content:
        yield name, content  # type: ignore[misc]  # a GzipFile reads bytes, whatever else it is


def _zip(path: Path, file: IO[bytes], name: str) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(file) as archive:
        if not all(member.filename for member in archive.infolist()):
            raise ValueError("a file in it has no name")
        members = [
            member
            for member in archive.infolist()
            if not member.is_dir()
            and not member.filename.startswith(_PASSED_OVER)
            and not member.filename.rpartition("/")[2].startswith(".")
        ]
        check_size(path, sum(member.file_size for member in members), path.stat().st_size)
        for member in members:
            with archive.open(member) as content:
                yield f"{name}/{member.filename}", content


def _copy(path: Path, content: IO[bytes], target: Path, taken: int, packed: int) -> int:
    """Unpack one file to `target`; returns the bytes of the archive unpacked up to now, `taken` before."""
    with target.open("wb") as out:
        while block := content.read(_BLOCK):
            taken += len(block)
            check_size(path, taken, packed)
            out.write(block)
    return taken
