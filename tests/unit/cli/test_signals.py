"""A signal to stop is noticed also where it does not end what the main thread waits for."""

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
