"""Asks for pages before their turn, several at once, so that the server's answer time is hidden."""

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from reconcile.kspay.errors import InvalidRequestError, NotFoundError
from reconcile.kspay.paging.listing import Answer

Ask = Callable[[int, int, threading.Event], Answer]
"""Asks for (page, limit). Once the event is set nobody wants the answer any more: no further try is made."""

_ERRORS_OF_ONE_PAGE = (InvalidRequestError, NotFoundError)
"""A page beyond the end may be answered so, while the pages in front of it are good."""


class Prefetcher:
    """Gives page after page, while the next ones are already asked for. Used by one thread.

    At most `depth` answers are held or under way, never whole windows. If a page cannot be had at all, its error is
    raised at once, even before the page's turn, and no further page is asked for. Only an error that may be the
    page's own waits for its turn.
    """

    def __init__(self, ask: Ask, workers: Executor | None) -> None:
        self._ask = ask
        self._workers = workers
        self._limit = 0
        self._under_way: dict[int, Future[Answer]] = {}  # by page, ascending
        self._unwanted = threading.Event()

    def page(self, number: int, limit: int, depth: int) -> tuple[Answer, int]:
        """The answer for this page, and how many requests were dropped because another page was expected next.

        `depth` pages from `number` on are asked for at once; 1: no other page.
        """
        dropped = 0
        if limit != self._limit or number not in self._under_way:
            dropped = self.drop()
            self._limit = limit
        if self._workers is None or (depth == 1 and not self._under_way):
            return self._ask(number, limit, self._unwanted), dropped
        self._ask_ahead(number, depth)
        wanted = self._under_way[number]
        while not wanted.done():
            for early in self._under_way.values():
                error = early.exception() if early.done() else None
                if error is not None and not isinstance(error, _ERRORS_OF_ONE_PAGE):
                    raise error
            wait([future for future in self._under_way.values() if not future.done()], None, FIRST_COMPLETED)
            self._ask_ahead(number, depth)
        del self._under_way[number]
        return wanted.result(), dropped

    def drop(self) -> int:
        """Forget what is under way; the number of requests that were already made for it."""
        self._unwanted.set()
        self._unwanted = threading.Event()
        made = sum(not future.cancel() for future in self._under_way.values())
        self._under_way.clear()
        return made

    def _ask_ahead(self, number: int, depth: int) -> None:
        assert self._workers is not None
        for page in range(number, number + depth):
            asked = self._under_way.get(page)
            if asked is None:
                self._under_way[page] = self._workers.submit(self._ask, page, self._limit, self._unwanted)
            elif asked.done() and (asked.exception() or len(asked.result().keys) < self._limit):
                return  # it seems to be the last page
