"""Starts the real `reconcile` in forks of one process that has imported it and the libraries it needs.

A run takes 4 s of processor time, and more than 2 s of them import. All processes of the tests share the one that
forks, since to import all of it takes 4 s, too. Nothing but imports is done before the fork: each command is a process
with an environment, a folder, a session and an end of its own, and runs the installed script. That a module reads
nothing of its process when it is imported is tested in tests/unit/test_layers.py.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

FOLDER = os.environ.get("MEASURED_FOLDER") or None
"""Where each process leaves which lines of the product it ran, if that is measured: see coverage.py beside this."""

LIBRARIES = (
    "great_expectations",
    "pandas.core.arrays.string_arrow",
    "pyarrow.csv",
    "pyarrow.parquet",
    "python_calamine",
    "rich._emoji_replace",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql",
    "xlsxwriter",
)
"""Those that the product imports only where it needs them, and what they import when they are used."""

ADDRESS = "FORKED_AT"
"""The variable that names the socket at which the process that forks is asked."""

LANG = "C.UTF-8"
"""Text is encoded as it was when the process began, so a command in another language is none of its forks."""


class Forked:
    """A command that runs; as `subprocess.Popen`, as far as tests need it.

    `files` are the descriptors of its standard input, output and error; of these, the ones in `closed` are closed
    when it begins. No file that it writes grows beyond `most_bytes`.
    """

    stderr: BinaryIO | None = None

    def __init__(
        self,
        words: list[str],
        folder: Path,
        environment: dict[str, str],
        files: tuple[int, int, int],
        closed: tuple[int, ...] = (),
        most_bytes: int = resource.RLIM_INFINITY,
    ) -> None:
        self._status, theirs = socket.socketpair()
        asked = {"words": words, "folder": str(folder), "environment": environment}
        job = json.dumps(asked | {"closed": closed, "most_bytes": most_bytes}).encode()
        socket.send_fds(_warm(), [job], [*files, theirs.fileno()])
        theirs.close()
        self.pid = self._number()
        self.returncode: int | None = None

    def _number(self) -> int:
        """What is said next: the process id, and how it ended."""
        said = self._status.recv(4, socket.MSG_WAITALL)
        assert len(said) == 4, "the process that forks has ended"
        return int.from_bytes(said, "big", signed=True)

    def wait(self, timeout: float) -> int:
        """How it ended: its exit code, or minus the signal's number."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self.returncode = self._number()
            self._status.close()
        return self.returncode

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@cache
def _warm() -> socket.socket:
    """The way to the process that forks."""
    way = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    way.connect(os.environ[ADDRESS])
    return way


def start_when_asked() -> None:
    """Let the process that forks be started by the first command of this process and of those that it starts.

    It ends with this one.
    """
    folder = tempfile.TemporaryDirectory(prefix="reconcile-warm-")  # nobody else may ask
    os.environ[ADDRESS] = f"{folder.name}/asked"
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asked.bind(os.environ[ADDRESS])
    asked.listen()
    alive, until_the_end = os.pipe()
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        select.select([asked], [], [])
        command = [sys.executable, __file__, str(asked.fileno()), str(alive)]
        environment = {"PATH": os.environ["PATH"], "LANG": LANG, "GX_ANALYTICS_ENABLED": "false"}
        environment |= {"MEASURED_FOLDER": FOLDER} if FOLDER else {}
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[asked.fileno(), alive],
                start_new_session=True,
            )
        )
        asked.close()
        os.close(alive)

    def end() -> None:
        os.close(until_the_end)
        for process in started:
            process.wait()
        folder.cleanup()

    threading.Thread(target=start, daemon=True).start()
    atexit.register(end)


def import_product() -> None:
    """Import every module of `reconcile`."""
    for module in pkgutil.walk_packages(importlib.import_module("reconcile").__path__, "reconcile."):
        importlib.import_module(module.name)


def _serve(asked: socket.socket, alive: int) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each job and say how its process ended. Returns in the forks, with the job; None at the end."""
    woken, waker = os.pipe()
    for end in (woken, waker):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    working: dict[int, socket.socket] = {}
    asking: set[socket.socket] = set()
    while True:
        ready, _, _ = select.select([asked.fileno(), *(way.fileno() for way in asking), woken, alive], [], [])
        if woken in ready:
            os.read(woken, 1024)
            for pid in list(working):
                ended, how = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with working.pop(pid) as status:
                        _say(status, os.waitstatus_to_exitcode(how))
        if alive in ready:
            return None
        if asked.fileno() in ready:
            asking.add(asked.accept()[0])
        for control in [way for way in asking if way.fileno() in ready]:
            job, files, _, _ = socket.recv_fds(control, 1 << 18, 4)
            if not job:
                asking.remove(control)
                control.close()
                continue
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (asked, *asking, *working.values()):
                    other.close()
                for end in (woken, waker, alive, files[3]):
                    os.close(end)
                return json.loads(job), files[:3]
            for file in files[:3]:
                os.close(file)
            working[pid] = socket.socket(fileno=files[3])
            _say(working[pid], pid)


def _say(status: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # the test has ended
        status.sendall(number.to_bytes(4, "big", signed=True))


def _become(job: dict[str, Any], files: list[int]) -> None:
    """Be the command, from its own session and signals to its end."""
    os.setsid()
    os.chdir(job["folder"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # Whatever is ignored around the tests: a process that a shell starts in the background ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(job["environment"])
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (job["most_bytes"], resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    sys.argv = job["words"]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    for number in job["closed"]:  # Python then has no such stream
        os.close(number)
        setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, int):
            _end(end.code)
        raise
    _end(0)


def _end(code: int) -> None:
    """End as Python does, but leave the memory to the system: freeing what was inherited would first copy it all."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for the other threads
    atexit._run_exitfuncs()
    sys.modules["tests.support.coverage"].leave()
    with suppress(OSError):  # else Python says what cannot be written, and its exit code does
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    gc.disable()  # all of this stays
    sys.path.append(str(Path(__file__).parents[2]))
    coverage = importlib.import_module("tests.support.coverage")
    sys.path.pop()
    coverage.measure()
    for library in LIBRARIES:
        importlib.import_module(library)
    import_product()
    importlib.import_module("reconcile.report.html").page_template()  # to compile it takes a tenth of a run
    gc.collect()
    gc.freeze()
    gc.enable()
    found = _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    if found:
        _become(*found)
