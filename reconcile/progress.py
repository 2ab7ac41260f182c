"""How a stage tells what it is doing; the command line and the flow show it each in their way."""

from typing import Protocol


class Progress(Protocol):
    """Called often: the stage, what it does now in a few words, and which part of it is done (0 to 1)."""

    def __call__(self, stage: str, doing: str, done: float | None, /) -> None: ...


def silent(_stage: str, _doing: str, _done: float | None, /) -> None:
    """Show nothing."""
