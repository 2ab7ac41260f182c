"""How a stage reports its progress. The command line and the flow show it in different ways."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol, runtime_checkable

SETTLING_SECONDS = 3.0
"""Seconds before the first pace is shown; earlier it would be a guess."""

SETTLING_PART = 0.02
"""The part of the work that must be done before the remaining time is estimated."""


class Progress(Protocol):
    """Called often with the stage, a few words about its work, and the part done (0 to 1; None: unknown)."""

    def __call__(self, stage: str, doing: str, done: float | None, /) -> None: ...


def silent(_stage: str, _doing: str, _done: float | None, /) -> None:
    """Show nothing."""


@runtime_checkable
class Result(Protocol):
    """What a stage gave."""

    def in_numbers(self) -> str:
        """In a few words, for the end of the stage: how many, and how many of them are new."""
        ...


def say_result(progress: Progress, stage: str, done: object) -> None:
    """Report what a stage gave, as the last that it says: a result, or several."""
    results = done if isinstance(done, Sequence) else [done]
    words = [result.in_numbers() for result in results if isinstance(result, Result)]
    if words:
        progress(stage, "; ".join(words), 1)


class Pace:
    """The speed of the records and the remaining time, in words. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int, float] | None = None

    def words(self, records: int, done: float) -> str:
        """`, 21,300 a second, about 2 min left`; a part of it, or "", while it would be a guess.

        `records` is their number up to now, `done` the part of the work done (0 to 1).
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
