"""Starts the real `reconcile` in forks of one process that has imported it and the libraries it needs.

A run takes 4 s of processor time, and more than 2 s of them import. All processes of the tests share the one that
forks, since to import all of it takes 4 s, too. Nothing but imports is done before the fork: each command is a process
with an environment, a folder, a session and an end of its own, and runs the installed script. That a module reads
nothing of its process when it is imported is tested in tests/unit/test_layers.py.

Where a command will work with Prefect, it is forked by a second such process, a fork of the first that has imported
Prefect, too. `interpreter` gives Prefect's workers a program that has its Python processes forked there: see asker.py
beside this.
"""

import atexit
import ctypes
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import pkgutil
import resource
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

FOLDER = os.environ.get("MEASURED_FOLDER") or None
"""Where each process leaves which lines of the product it ran, if that is measured: see coverage.py beside this."""

LIBRARIES = (
    "great_expectations",
    "multiprocessing.synchronize",
    "pandas.core.arrays.string_arrow",
    "pyarrow.csv",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "python_calamine",
    "rich._emoji_replace",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql",
    "xlsxwriter",
)
"""Those that the product imports only where it needs them, and what they import when they are used."""

PREFECT = (
    "fastapi",
    "prefect.artifacts",
    "prefect.automations",
    "prefect.cli.deploy",
    "prefect.cli.worker",
    "prefect.flow_engine",
    "prefect.main",
    "prefect.runner._workspace_resolver",
    "prefect.workers.process",
)
"""What flows, workers and their processes, and `prefect deploy` import of Prefect."""

PROGRAMS = ("prefect.engine", "prefect.runner._workspace_supervisor")
"""What a worker runs with `python -m`, each in a process of its own."""

ADDRESS = "FORKED_AT"
"""The variable that names the socket at which the process that forks is asked."""

PREFECT_ADDRESS = "FORKED_WITH_PREFECT_AT"
"""The same, of the one that has imported Prefect."""

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
"""What a process no longer shares: its disks, and its users where it is not root. Python names them from 3.12 on."""

LANG = "C.UTF-8"
"""Text is encoded as it was when the process began, so a command in another language is none of its forks."""


class Forked:
    """A command that runs; as `subprocess.Popen`, as far as tests need it.

    `files` are the descriptors of its standard input, output and error; of these, the ones in `closed` are closed
    when it begins. No file that it writes grows beyond `most_bytes`. With a `disk`, a folder and options of `mount`, it
    finds a disk there that nobody else sees, and what is left on it ends its output.
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
        disk: tuple[str, str] | None = None,
        imports: tuple[str, ...] = (),
    ) -> None:
        self._status, theirs = socket.socketpair()
        asked = {"words": words, "folder": str(folder), "environment": environment, "imports": imports}
        job = json.dumps(asked | {"closed": closed, "most_bytes": most_bytes, "disk": disk}).encode()
        way = _warm(PREFECT_ADDRESS if "PREFECT_API_URL" in environment else ADDRESS)
        socket.send_fds(way, [job], [*files, theirs.fileno()])
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
def _warm(address: str) -> socket.socket:
    """The way to a process that forks."""
    way = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    way.connect(os.environ[address])
    return way


def start_when_asked() -> None:
    """Let the processes that fork be started by the first command of this process and of those that it starts.

    They end with this one.
    """
    folder = tempfile.TemporaryDirectory(prefix="reconcile-warm-")  # nobody else may ask
    started: list[tuple[subprocess.Popen[bytes] | Forked, int]] = []

    def asked_at(address: str) -> socket.socket:
        os.environ[address] = f"{folder.name}/{address}"
        asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked.bind(os.environ[address])
        asked.listen()
        return asked

    def start(asked: socket.socket) -> None:
        select.select([asked], [], [])
        alive, until_the_end = os.pipe()
        command = [sys.executable, __file__, str(asked.fileno()), str(alive)]
        environment = {"PATH": os.environ["PATH"], "LANG": LANG, "GX_ANALYTICS_ENABLED": "false"}
        environment |= {"MEASURED_FOLDER": FOLDER} if FOLDER else {}
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=[asked.fileno(), alive],
            start_new_session=True,
        )
        started.append((process, until_the_end))
        asked.close()
        os.close(alive)

    def start_with_prefect(asked: socket.socket) -> None:
        select.select([asked], [], [])
        alive, until_the_end = os.pipe()
        environment = {"PATH": os.environ["PATH"], "LANG": LANG, "HOME": folder.name}
        environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        files = (asked.fileno(), alive, sys.__stderr__.fileno())  # type: ignore[union-attr]
        process = Forked([__file__], Path(folder.name), environment, files, imports=PREFECT)
        started.append((process, until_the_end))
        asked.close()
        os.close(alive)

    def end() -> None:
        for process, until_the_end in reversed(started):  # the second is a child of the first
            os.close(until_the_end)
            process.wait(60)
        folder.cleanup()

    for begin, address in ((start, ADDRESS), (start_with_prefect, PREFECT_ADDRESS)):
        threading.Thread(target=begin, args=[asked_at(address)], daemon=True).start()
    atexit.register(end)


def interpreter(folder: Path) -> Path:
    """Make a program that stands for this interpreter: what it is asked to run is forked where Prefect is imported."""
    path = folder / "python"
    asker = Path(__file__).with_name("asker.py")
    words = shlex.join([sys.executable, "-ISE", str(asker), os.environ[PREFECT_ADDRESS], sys.executable])
    path.write_text(f'#!/bin/sh\nexec {words} "$0" "$@"\n')
    path.chmod(0o755)
    return path


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
    bound: dict[socket.socket, int] = {}
    """Processes that end with the one that asked for them."""
    asking: set[socket.socket] = set()
    while True:
        ways = [way.fileno() for way in (asked, *asking, *bound)]
        ready, _, _ = select.select([*ways, woken, alive], [], [])
        if woken in ready:
            os.read(woken, 1024)
            for pid in list(working):
                ended, how = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with working.pop(pid) as status:
                        bound.pop(status, None)
                        _say(status, os.waitstatus_to_exitcode(how))
        for status in [status for status in bound if status.fileno() in ready]:
            os.kill(bound.pop(status), signal.SIGKILL)
        if alive in ready:
            for pid in bound.values():
                os.kill(pid, signal.SIGKILL)
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
            if json.loads(job).get("bound"):
                bound[working[pid]] = pid
            _say(working[pid], pid)


def _say(status: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # the test has ended
        status.sendall(number.to_bytes(4, "big", signed=True))


def _enter(job: dict[str, Any], files: list[int]) -> None:
    """Be the process of the job: its session, signals, folder, environment, files and arguments."""
    os.setsid()
    os.chdir(job["folder"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # Whatever is ignored around the tests: a process that a shell starts in the background ignores Ctrl-C, and one
    # under nohup the end of its terminal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(job["environment"])
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (job["most_bytes"], resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )
    if disk := job.get("disk"):
        _mount(*disk)
    sys.argv = job["words"]
    sys.executable = job.get("executable", sys.executable)


def _mount(folder: str, options: str) -> None:
    """A disk in memory in this folder, seen by this process and those that it starts."""
    user, group = os.geteuid(), os.getegid()
    apart = CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(apart):
        raise OSError(ctypes.get_errno(), "unshare")
    if user != 0:
        for name, says in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            Path("/proc/self", name).write_text(says)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    atexit.register(lambda: print("".join(f"{name}\n" for name in os.listdir(folder)), end=""))  # noqa: T201


def _become(job: dict[str, Any]) -> None:
    """Be the command, to its end."""
    module = sys.argv[1] if sys.argv[0] == "-m" else None
    if module:
        sys.argv[:2] = [module]
    sys.path[0] = os.getcwd() if module else str(Path(sys.argv[0]).parent)
    if more := job["environment"].get("PYTHONPATH"):
        sys.path[1:1] = more.split(os.pathsep)
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    for number in job["closed"]:  # Python then has no such stream
        os.close(number)
        setattr(sys, {1: "stdout", 2: "stderr"}[number], None)
    try:
        if module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            _end(end.code or 0)
        raise
    _end(0)


class Shelf(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Prefect's modules in a fork, where they seem to be imported anew: the first import reads the settings.

    Prefect reads the environment when it is imported, and our command changes it before.
    """

    def __init__(self) -> None:
        self._held = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "prefect"}
        for name in self._held:
            del sys.modules[name]
        for name in PROGRAMS:
            self._held.pop(name, None)
        self._begun = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self._held:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, is_package="__path__" in vars(self._held[name]))
        spec.loader_state = self._held[name].__spec__
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._held[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__spec__ = module.__spec__.loader_state
        if not self._begun:
            self._begun = True
            importlib.import_module("prefect.context").refresh_global_settings_context()
            logging = importlib.import_module("prefect.logging.configuration")
            logging.PROCESS_LOGGING_CONFIG.clear()
            logging.setup_logging()


def _keep() -> None:
    """Leave what was imported alone: no search for garbage touches it, so that all forks share its memory."""
    gc.collect()
    gc.freeze()
    gc.enable()


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
    _keep()
    found = _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    while found:
        _enter(*found)
        if not found[0]["imports"]:
            _become(found[0])
        gc.disable()
        for name in found[0]["imports"]:
            importlib.import_module(name)
        _keep()
        waits_for, ends_with = os.dup(0), os.dup(1)
        with open(os.devnull, "r+b") as nothing:
            for number in (0, 1):
                os.dup2(nothing.fileno(), number)
        found = _serve(socket.socket(fileno=waits_for), ends_with)
        if found:
            sys.meta_path.insert(0, Shelf())
