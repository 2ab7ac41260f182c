"""How a stage tells what it is doing; the command line and the flow show it each in their way."""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

SETTLING_SECONDS = 3.0
"""Before that, a pace would be a guess."""

SETTLING_PART = 0.02
"""So much of the work must have been done before the rest is estimated from it."""


class Progress(Protocol):
    """Called often: the stage, what it does now in a few words, and which part of it is done (0 to 1)."""

    def __call__(self, stage: str, doing: str, done: float | None, /) -> None: ...


def silent(_stage: str, _doing: str, _done: float | None, /) -> None:
    """Show nothing."""


class Pace:
    """How fast records come and how long the rest takes, in words, by a clock that counts seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int, float] | None = None

    def words(self, records: int, done: float) -> str:
        """`, 21,300 a second, about 2 min left`; less, or nothing, as long as that would be a guess.

        `records` were had up to now, all together, and `done` is the part of the work (0 to 1) they are.
        """
        now = self._clock()
        if self._first is None:
            self._first = now, records, done
        started, records_before, done_before = self._first
        seconds, part = now - started, done - done_before
        if seconds < SETTLING_SECONDS:
            return ""
        words = f", {(records - records_before) / seconds:,.0f} a second"
        if part >= SETTLING_PART and done < 1:
            words += f", about {_rounded(seconds * (1 - done) / part)} left"
        return words


def _rounded(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, seconds):.0f} s"
