"""Programs that stay beside the tests, and end with them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# What starts the program, and ends its group also when the tests themselves are killed: their end of its input closes.
_GUARD = """
import os, signal, subprocess, sys, threading
def end_with_the_tests():
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_the_tests, daemon=True).start()
sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))
"""


@contextmanager
def guarded(
    words: list[str | Path], folder: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that works until the block ends, then is killed with all the processes of its group."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-SE", "-c", _GUARD, *words],  # what the guard needs is in the standard library
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
