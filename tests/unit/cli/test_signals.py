"""A signal to stop is noticed, whatever the main thread does when it comes."""

import signal
import subprocess
import sys

import pytest

# Which thread a signal ends the wait of is the kernel's choice: one that the main thread blocks goes to another. So
# the main thread waits on, as it does where the signal came a moment before it began to wait.
PROGRAM = """
import signal, socket, sys, threading
from reconcile.core.errors import Stopped
from reconcile.cli.signals import stopped_by_signals
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {int(sys.argv[1])})
one, other = socket.socketpair()
try:
    with stopped_by_signals():
        print("waiting", flush=True)
        one.recv(1)
except Stopped as error:
    print("stopped", error.exit_code, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_no_wait_is_noticed(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(int(number))],
        stdout=subprocess.PIPE,
        text=True,
        # Whatever is ignored around the tests.
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGHUP, signal.SIGTERM)],
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "waiting\n"
            process.send_signal(number)
            said, _ = process.communicate(timeout=30)
            assert said == f"stopped {128 + number}\n"
        finally:
            process.kill()


MEANWHILE = """
import signal, time, weakref
from reconcile.core.errors import Stopped
from reconcile.cli.signals import stopped_by_signals
class Thing:
    pass
class Ending:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
        done.append("ended")
def of_weakref(_):
    signal.raise_signal(signal.SIGTERM)
IMPORTING = "signal.raise_signal(signal.SIGTERM); done.append('gave the lock back')"
done = []
try:
    with stopped_by_signals():
        {meanwhile}
        time.sleep(20)
        print("went on")
except Stopped as error:
    print("stopped", error.exit_code, *done)
"""


@pytest.mark.parametrize(
    ("meanwhile", "done"),
    [
        ("Ending()", " ended"),  # Python would show the exception, and go on
        ("thing = Thing(); ref = weakref.ref(thing, of_weakref); del thing", ""),
        # Where an import holds its lock, all other threads that import would wait for good.
        ("exec(compile(IMPORTING, '<frozen importlib._bootstrap>', 'exec'))", " gave the lock back"),
    ],
)
def test_a_signal_is_not_lost_where_an_exception_would_be(meanwhile: str, done: str) -> None:
    program = MEANWHILE.format(meanwhile=meanwhile)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert (ended.stdout, ended.stderr) == (f"stopped 143{done}\n", "")


BEFORE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever is ignored around the tests
class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
from reconcile.__main__ import main
sys.argv = ["reconcile", "--version"]
main()
"""


def test_ctrl_c_while_the_command_is_imported_shows_no_traceback() -> None:
    ended = subprocess.run([sys.executable, "-c", BEFORE], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
