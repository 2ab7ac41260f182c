"""A folder of reports elsewhere, such as `s3://books/reports`: each run puts a copy of its files there.

fsspec reaches it, and the library that fsspec names for its kind of storage. Storages have no links: there `latest` is
a file that holds the id of the run.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from reconcile.core.errors import ReconcileError, UsageError
from reconcile.report.csv_files import newer

LAST = "run.json"
"""It comes when all other files are there, so a folder that has it is whole."""
PROBE = ".reconcile-probe"
"""An empty file that is written, and removed at once, before a run begins its work."""


class Elsewhere:
    """The folder of this address. Raises UsageError if it cannot be reached: before the work, not after it."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs  # only those wait for it who have such a folder

        # A library that tries again leaves the error of each try to asyncio, which logs its traceback.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        # A password may stand before the @. That of a bucket often has a slash in it.
        found = re.search(r"//([^/@]*:.*|[^/]*)@", address)
        before_at = found[1] if found else ""
        password = before_at.partition(":")[2]
        # A library may show all of it, the password alone or decoded, or what it takes for the bucket.
        parts = {part for part in before_at.split("/") if len(part) > 2}  # a shorter one is in many words
        secrets = {before_at, password, unquote(password), *parts} - {""}
        self._secrets = sorted(secrets, key=len, reverse=True)
        self.shown = address.replace(f"//{before_at}@", "//…@") if found else address
        try:
            with self._reaching("cannot be written"):
                self._storage, self._root = url_to_fs(address)
                self._check_root()
        except ReconcileError as error:
            raise UsageError(str(error)) from error.__cause__

    def _check_root(self) -> None:
        if not self._root:
            raise ValueError("it names no place")
        self._make(self._root)
        # Only writing shows that the bucket is there and that the key may write: rights to look are others.
        probe = f"{self._root}/{PROBE}"
        self._storage.pipe_file(probe, b"")
        with suppress(FileNotFoundError, PermissionError):  # of a run beside; nobody may remove anything
            self._storage.rm_file(probe)

    def _make(self, folder: str) -> None:
        # Where the first part is a bucket, what is below it needs no folders. To make them would make a bucket of every
        # name that is mistyped, and takes a right that this one folder does not need.
        if folder.startswith("/"):
            self._storage.makedirs(folder, exist_ok=True)

    def copy(self, folder: Path) -> None:
        """Copy the files of a run."""
        target = f"{self._root}/{folder.name}"
        names = sorted((path.name for path in folder.iterdir()), key=lambda name: (name == LAST, name))
        with self._reaching("the copy of the report failed"):
            self._make(target)
            for name in names:
                self._storage.put_file(str(folder / name), f"{target}/{name}")

    def remove(self, run_id: str) -> None:
        """Remove the files of a run that failed, as far as the folder can be reached."""
        with suppress(ReconcileError), self._reaching("the copy of the report is left there"):
            self._storage.rm(f"{self._root}/{run_id}", recursive=True)

    def point_latest(self, run_id: str) -> None:
        """Let `latest` hold this run, unless it holds one as of a later day."""
        latest = f"{self._root}/latest"
        with self._reaching("the report is there, but not the file latest, which the next run writes"):
            before = self._storage.cat_file(latest).decode() if self._storage.exists(latest) else ""
            if newer(run_id, before.strip()):
                self._storage.pipe_file(latest, f"{run_id}\n".encode())

    @contextmanager
    def _reaching(self, what: str) -> Iterator[None]:
        # Each of these libraries has errors of its own; a signal to stop is none of them.
        try:
            yield
        except Exception as error:
            says = " ".join(str(error).split()) or type(error).__name__
            for secret in self._secrets:
                says = says.replace(secret, "…")
            raise ReconcileError(f"--out {self.shown}: {what}: {says}") from error
