"""Work in a second thread, one piece after another: Postgres stores while Python goes on reading."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

Submit = Callable[[Callable[[], None]], None]
"""Takes the next piece of work; returns once every piece before it is done."""


@contextmanager
def in_turn() -> Iterator[Submit]:
    """Do one piece of work after another in a thread; at most one waits. All are done when the block ends.

    An error of a piece is raised by the next call, or where the block ends.
    """
    with ThreadPoolExecutor(1, "load") as worker:
        under_way: list[Future[None]] = []

        def wait() -> None:
            while under_way:
                under_way.pop().result()

        def submit(work: Callable[[], None]) -> None:
            wait()
            under_way.append(worker.submit(work))

        yield submit
        wait()
