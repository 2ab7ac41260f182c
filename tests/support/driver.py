"""Drives the real `reconcile` command from outside, and reads what it leaves behind as its users do."""

import csv
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from reconcile.sandbox.merchant import Merchant
from reconcile.sandbox.orders import Planted
from reconcile.sandbox.server import Sandbox
from tests.support.warm import LANG, Forked

PROGRAM = Path(sys.executable).with_name("reconcile")
SECONDS = 120
"""How long a command may take before it is ended and its test fails; on a busy machine a run takes 30."""

CSVS = ("discrepancies", "matched", "summary")
"""The files that are the same bytes for the same data; quarantine.csv names files and rows."""

Shop = tuple[Merchant, Sandbox]
"""A merchant, and where it is served with which keys."""

Finding = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A discrepancy as a test compares it: its type, transaction ids and ledger ids."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of an error; progress may stand before it, and nothing else may stand after it."""
        lines = [line for line in self.err.splitlines() if not line.startswith(PROGRESS)]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("reconcile: "), self.err
        return lines[0]


PROGRESS = (
    "wait: ",
    "runs: ",
    "notify: ",
    "sandbox: ",
    "inbox: ",
    "ledger: ",
    "fetch: ",
    "match: ",
    "report: ",
)
"""How the lines begin by which a command tells what it is doing."""


class Running:
    """A command that has been started; leaving the block kills it if it has not ended."""

    def __init__(
        self, words: list[str], folder: Path, environment: Mapping[str, str], warm: bool = False
    ) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        self.process: Forked | subprocess.Popen[bytes]
        if warm:
            read, write = os.pipe()
            with open(os.devnull, "rb") as nothing:
                files = nothing.fileno(), self._out.fileno(), write
                self.process = Forked(words, folder, dict(environment), files)
            os.close(write)
            self.process.stderr = os.fdopen(read, "rb")
        else:
            # A session of its own, as a scheduler gives it: no signal of ours reaches it by accident.
            self.process = subprocess.Popen(
                words,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        self._err = ""
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._told:
                self._err += line.decode()
                self._told.notify_all()
        with self._told:
            self._told.notify_all()

    def wait_for(self, beginning: str) -> None:
        """Until a line of standard error begins so; fails if the command ends before."""
        with self._told:
            assert self._told.wait_for(
                lambda: f"\n{beginning}" in f"\n{self._err}" or not self._reader.is_alive(), SECONDS
            )
            assert f"\n{beginning}" in f"\n{self._err}", self._err

    def said_until(self, beginning: str) -> list[str]:
        """The lines of standard output up to the first that begins so; fails if the command ends before."""
        limit = time.monotonic() + SECONDS
        while time.monotonic() < limit:
            ended = self.process.poll() is not None
            lines = os.pread(self._out.fileno(), 1 << 16, 0).decode().splitlines()
            for number, line in enumerate(lines, 1):
                if line.startswith(beginning) and number < len(lines):
                    return lines[:number]
            assert not ended, (lines, self._err)
            threading.Event().wait(0.05)  # a file has no event that could be awaited
        raise TimeoutError(beginning)

    def ended(self, seconds: float = SECONDS) -> Outcome:
        """Wait for the end."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        self._out.seek(0)
        return Outcome(code, self._out.read().decode(), self._err)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(SECONDS)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()
        self._out.close()


class Command:
    """The command with a working folder, a home and settings of its own, all removed with the block."""

    def __init__(self, folder: Path, sandbox: Sandbox | None = None, **settings: str) -> None:
        self.folder = folder
        self.home = folder / ".reconcile"
        self.user_home = folder / "user"
        self.user_home.mkdir(parents=True)
        self.settings = {} if sandbox is None else keys(sandbox)
        self.settings |= settings

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Nothing of this process's environment but PATH; None takes a setting away."""
        basis = {"PATH": os.environ["PATH"], "HOME": str(self.user_home), "LANG": LANG}
        wanted: dict[str, str | None] = {**basis, **self.settings, **changes}
        return {name: value for name, value in wanted.items() if value is not None}

    def start(self, *arguments: str | Path, **changes: str | None) -> Running:
        """Start it; `changes` are settings of this one call."""
        environment = self.environment(**changes)
        # What Python reads before it runs anything needs a process that has not begun yet.
        warm = environment["LANG"] == LANG and not any(
            name.startswith(("PYTHON", "LC_", "TZ")) for name in environment
        )
        return Running([str(PROGRAM), *map(str, arguments)], self.folder, environment, warm)

    def __call__(self, *arguments: str | Path, **changes: str | None) -> Outcome:
        """Run it to its end."""
        with self.start(*arguments, **changes) as running:
            return running.ended()

    def attached(self, files: tuple[int, int, int], *arguments: str | Path, **changes: str | None) -> Forked:
        """Start it with these descriptors as its standard input, output and error."""
        words = [str(PROGRAM), *map(str, arguments)]
        return Forked(words, self.folder, self.environment(**changes), files)

    def limited(self, most_bytes: int, *arguments: str | Path, **changes: str | None) -> Outcome:
        """Run it to its end where no file that it writes grows beyond so many bytes: this stands for a full disk."""
        return self._confined(arguments, changes, most_bytes=most_bytes)

    def on_disk(self, folder: str, *arguments: str | Path, options: str = "size=64k") -> Outcome | None:
        """Run it where this folder is a small disk, or with `ro` a read-only one; what is left there ends its output.

        None where no disk may be mounted.
        """
        (self.folder / folder).mkdir(exist_ok=True)
        return self._confined(arguments, {}, disk=(folder, options)) if may_mount() else None

    def _confined(
        self, arguments: Iterable[str | Path], changes: Mapping[str, str | None], **limits: Any
    ) -> Outcome:
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            open(os.devnull, "rb") as nothing,
        ):
            files = nothing.fileno(), out.fileno(), err.fileno()
            words = [str(PROGRAM), *map(str, arguments)]
            code = Forked(words, self.folder, self.environment(**changes), files, **limits).wait(SECONDS)
            said = [os.pread(file.fileno(), 1 << 16, 0).decode() for file in (out, err)]
        return Outcome(code, *said)

    def good(self, *arguments: str | Path, **changes: str | None) -> Outcome:
        """Run it to its end, which must be good."""
        outcome = self(*arguments, **changes)
        assert outcome.code == 0, outcome
        return outcome

    def latest(self, out: str = "reports") -> "Report":
        """The report that `latest` points to."""
        return Report((self.folder / out / "latest").resolve(strict=True))

    def postmasters(self) -> list[int]:
        """The process ids of the Postgres servers that work in this home."""
        data = f"-D\0{self.home / 'postgres'}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if data in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self.postmasters():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def may_mount() -> bool:
    """Whether a process may mount a disk that it alone sees."""
    alone = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    disk = ["mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    return subprocess.run([*alone, *disk], capture_output=True, check=False).returncode == 0


MakeCommand = Callable[..., Command]


def keys(sandbox: Sandbox) -> dict[str, str]:
    """The settings that lead to this server."""
    return {
        "KSPAY_BASE_URL": sandbox.base_url,
        "KSPAY_APP_ID": sandbox.app_id,
        "KSPAY_ACCESS_KEY": sandbox.access_key,
        "KSPAY_SECRET_KEY": sandbox.secret_key,
    }


class Report:
    """The folder of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def run_id(self) -> str:
        return self.folder.name

    def raw(self, name: str) -> bytes:
        """The bytes of one of the CSV files."""
        return (self.folder / f"{name}.csv").read_bytes()

    def same(self) -> dict[str, str]:
        """The digests of the files that must not change while the data does not."""
        return {name: hashlib.sha256(self.raw(name)).hexdigest() for name in CSVS}

    def cells(self, name: str) -> list[list[str]]:
        """The rows of a CSV file with its header, each cell as written."""
        return list(csv.reader(io.StringIO(self.raw(name).decode("utf-8-sig"), newline=""), strict=True))

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file by column, each cell as a spreadsheet shows it."""
        header, *rows = self.cells(name)
        return [dict(zip(header, map(shown, row), strict=True)) for row in rows]

    def document(self) -> dict[str, Any]:
        """run.json."""
        content: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return content

    def findings(self) -> Counter[Finding]:
        """What discrepancies.csv reports."""
        return Counter(
            (row["type"], ids(row["transaction_id"]), ids(row["ledger_id"]))
            for row in self.rows("discrepancies")
        )


def planted(errors: Iterable[Planted]) -> Counter[Finding]:
    """What a report of all days must hold."""
    return Counter(
        (error.type, (*sorted(error.transaction_ids),), (*sorted(error.ledger_ids),)) for error in errors
    )


def ids(cell: str) -> tuple[str, ...]:
    """The ids of a cell, sorted."""
    return tuple(sorted(cell.split(";"))) if cell else ()


def shown(cell: str) -> str:
    """What a spreadsheet shows of a cell: `="0012"` is 0012."""
    return cell[2:-1].replace('""', '"') if cell.startswith('="') else cell
