"""What stands for the interpreter where Prefect's workers start processes: a fork, which is as a child would be."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.prefect_server import until
from tests.support.warm import LANG, interpreter

SAYS = """
import os, sys, time
from prefect.settings import get_current_settings
settings = get_current_settings()
print(os.getpid(), os.getcwd(), sys.argv[1:], sys.executable, settings.api.url, settings.home, flush=True)
print(sys.stdin.readline(), end="", flush=True)
time.sleep(int(sys.argv[1]))
sys.exit(7)
"""
AGAIN = "import os, sys\nos.execv(sys.executable, [sys.executable, '-m', 'says', *sys.argv[1:]])\n"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    (tmp_path / "says.py").write_text(SAYS)
    (tmp_path / "again.py").write_text(AGAIN)
    stands_for_it = interpreter(tmp_path)
    home = {
        "HOME": str(tmp_path),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "http://here/api",
    }

    def start(*words: str, **changes: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "LANG": LANG, **home, **changes}
        return subprocess.Popen(
            [stands_for_it, *words],
            cwd=tmp_path,
            env=environment,
            stdin=pipe,
            stdout=pipe,
            text=True,
            start_new_session=True,
        )

    return start


def begun(process: "subprocess.Popen[str]") -> tuple[int, str]:
    assert process.stdout
    pid, _, said = process.stdout.readline().partition(" ")
    return int(pid), said.rstrip()


def is_there(pid: int) -> bool:
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return False


@pytest.mark.parametrize("words", [("says.py",), ("-m", "says"), ("again.py",)])
def test_a_fork_is_as_a_child_would_be(start: Start, tmp_path: Path, words: tuple[str, ...]) -> None:
    with start(*words, "0") as process:
        pid, said = begun(process)
        assert said == f"{tmp_path} ['0'] {tmp_path}/python http://here/api {tmp_path}/prefect"
        assert pid != process.pid
        assert process.communicate("a line\n", 60)[0] == "a line\n"
    assert process.returncode == 7


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("words", [("-m", "says"), ("again.py",)])
def test_it_ends_with_the_group_of_what_stands_for_it(
    start: Start, words: tuple[str, ...], end: signal.Signals
) -> None:
    with start(*words, "60") as process:
        pid, _ = begun(process)
        os.killpg(process.pid, end)
        # Its end of the output closes when the fork ends.
        assert process.communicate(timeout=60)[0] == ""
    assert process.returncode == -end
    until(lambda: not is_there(pid))
