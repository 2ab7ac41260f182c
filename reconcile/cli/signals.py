"""Ends a command in good order when it must stop: by Ctrl-C, by SIGTERM, or because its terminal closes."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from reconcile.core.errors import Stopped

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_NUDGE = signal.SIGURG
"""A signal that nobody sends. Otherwise it means out-of-band data, which this program does not use."""

_PAUSES = (0.2, 0.5, 1, 2)
"""Seconds before each nudge."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within the block, a signal to stop raises Stopped in the main thread: then the run is marked as failed, and the
    embedded database is stopped. The main thread must enter the block. A signal that was ignored before (nohup) stays
    ignored."""

    def stop(number: int, _frame: object) -> NoReturn:
        raise Stopped(number)

    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        with _noticed():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _noticed() -> Iterator[None]:
    """Make sure that the main thread notices a signal at once.

    A signal that arrives just before the thread begins to wait, for example for an answer, does not end the wait:
    Python raises the exception only afterwards. So another thread, which sees every signal at once, wakes the main
    thread up.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    main = threading.get_ident()

    def nudge() -> None:
        while number := os.read(reader, 1):
            if number[0] in _STOPPING:
                for pause in _PAUSES:
                    time.sleep(pause)
                    signal.pthread_kill(main, _NUDGE)
        os.close(reader)

    before = signal.signal(_NUDGE, lambda _number, _frame: None)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=nudge, name="stopping", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(_NUDGE, signal.SIG_IGN if before == signal.SIG_DFL else before)
        os.close(writer)
