"""Asks for the pages of one window, with a limit that the server takes, and counts the answers."""

from reconcile.kspay.errors import InvalidRequestError, NotFoundError
from reconcile.kspay.paging.listing import Answer
from reconcile.kspay.paging.prefetch import Prefetcher


class PageSource:
    """The pages of one window. A key is what a row is known by (see `listing.keys_of`)."""

    def __init__(self, prefetcher: Prefetcher, limit: int) -> None:
        self._prefetcher = prefetcher
        self._first_limit = limit
        self.limit = limit
        """The `limit` that is asked for now."""
        self.answers = 0
        """All answers so far, those that nobody looked at included."""
        self.rows = 0
        """Rows in all answers that were looked at."""

    def page(self, number: int, depth: int = 1) -> Answer:
        """Page `number`, from 1. `depth` pages from there on are asked for at once."""
        try:
            answer, dropped = self._prefetcher.page(number, self.limit, depth)
        except InvalidRequestError:
            if self.limit == self._first_limit:
                raise
            # The server takes only certain limits, and not the number of rows that it gave.
            self.limit = self._first_limit
            answer, dropped = self._prefetcher.page(number, self.limit, 1)
        self._count(answer, dropped)
        return answer

    def keys(self, number: int) -> list[int]:
        """The keys of a page that is no part of a reading."""
        return self.page(number).keys

    def keys_by_limit(self, number: int, limit: int) -> list[int]:
        """The keys of a page that is no part of a reading, asked for with another limit."""
        usual, self.limit = self.limit, limit
        keys = self.keys(number)
        self.limit = usual
        return keys

    def keys_if_accepted(self, number: int, limit: int) -> list[int] | None:
        """The same, but None where the server refuses such a page. No other limit is tried then."""
        try:
            answer, dropped = self._prefetcher.page(number, limit, 1)
        except (InvalidRequestError, NotFoundError):
            return None
        self._count(answer, dropped)
        return answer.keys

    def drop(self) -> None:
        """Forget the pages that were asked for ahead."""
        self.answers += self._prefetcher.drop()

    def _count(self, answer: Answer, dropped: int) -> None:
        self.answers += 1 + dropped
        self.rows += len(answer.keys)
