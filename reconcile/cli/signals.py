"""Ends a command in good order when it must stop: by Ctrl-C, by SIGTERM, or because its terminal closes."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from reconcile.core.errors import Stopped

E = TypeVar("E", bound=BaseException)

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_NUDGE = signal.SIGURG
"""A signal that nobody sends. Otherwise it means out-of-band data, which this program does not use."""

_PAUSES = (0.05, 0.2, 0.5, 1, 2)
"""Seconds before each nudge."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within the block, a signal to stop raises Stopped in the main thread: then the run is marked as failed, and the
    embedded database is stopped. The main thread must enter the block. A signal that was ignored before (nohup) stays
    ignored."""
    # The number of a signal whose exception could not be raised where it came, or was lost there.
    due: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        due[:] = [number]
        if may_raise(frame):
            due.clear()
            raise Stopped(number)

    def stop_if_due(_number: int, frame: FrameType | None) -> None:
        if due:
            stop(due[0], frame)

    def was_lost(error: Stopped) -> None:
        due[:] = [error.number]

    before = {number: signal.getsignal(number) for number in _STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        with calling_if_lost(Stopped, was_lost), _noticed(stop_if_due, due):
            yield
    finally:
        due.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def calling_if_lost(kind: type[E], again: Callable[[E], None]) -> Iterator[None]:
    """Within the block, `again` gets each exception of this very kind that Python throws away.

    What calls back into Python, such as the end of an object, shows an exception and goes on.
    """
    hook = sys.unraisablehook

    def lost(unraisable: Any) -> None:
        if type(unraisable.exc_value) is kind:
            again(unraisable.exc_value)
        else:
            hook(unraisable)

    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = hook


def may_raise(frame: FrameType | None) -> bool:
    """Whether a handler of signals may raise an exception in the frame that it interrupts.

    Not where an import takes and gives back its locks: one that is never given back stops every other thread that
    imports. And not at the end of an object, where Python shows the exception and goes on.
    """
    if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        return False
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return False
        frame = frame.f_back
    return True


@contextmanager
def _noticed(stop_if_due: Callable[[int, FrameType | None], None], due: Sequence[int]) -> Iterator[None]:
    """Make sure that the main thread notices a signal at once, and stops as long as it is due.

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
                while due:
                    time.sleep(_PAUSES[0])
                    signal.pthread_kill(main, _NUDGE)
        os.close(reader)

    before = signal.signal(_NUDGE, stop_if_due)
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=nudge, name="stopping", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(_NUDGE, signal.SIG_IGN if before == signal.SIG_DFL else before)
        os.close(writer)
