"""Where the server ignores `page`: was a window's one answer cut, and which shorter windows are read instead?

Such a server gives the first rows of every listing, as many as fit: at most `limit`, or a cap of its own, or a fixed
number whatever the limit. One answer does not show whether it was cut there, but two answers do. An answer that was
cut is as full as any can be, so an answer with fewer rows than another one was whole. Rows are counted twice, with
and without repeated ones, because it is not known which of the two the server limits.

So a window is halved until its parts have fewer rows than the fullest answer. A day that never has may still be
whole: later windows, or at last a range of 89 days, may be answered with more rows. If none is, the day is refused.
"""

from collections.abc import Callable
from datetime import date, timedelta

from reconcile.kspay.errors import IncompleteError
from reconcile.kspay.paging.windows import LONGEST_WINDOW, Window

Size = tuple[int, int]
"""Rows of an answer, and how many of them differ."""

_DAY = timedelta(days=1)


class WindowSplitter:
    """Compares the first answers to all windows of a client; all were asked for with one limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._fullest: Size = (0, 0)
        self._doubtful: list[tuple[Window, Size]] = []

    def parts(self, window: Window, answer: Size) -> list[Window]:
        """The windows to read instead of this one; none where it may be taken for whole.

        A single day that may have been cut is not split. `settle` decides about it.
        """
        self._note(answer)
        if self._is_whole(answer):
            return []
        days = (window.to_date - window.from_date).days
        if days < 2:
            self._doubtful.append((window, answer))
            return []
        middle = window.from_date + days // 2 * _DAY
        return [Window(window.from_date, middle), Window(middle, window.to_date)]

    def settle(self, ask: Callable[[Window], Size], first: date | None, today: date) -> None:
        """Raise IncompleteError for a day that may have been cut, once all windows were read.

        `ask` gives the size of an answer. No day before `first` or after `today` is asked for.
        """
        while self._doubtful:
            window, answer = self._doubtful.pop()
            start = window.to_date - LONGEST_WINDOW
            for wide in (
                Window(max(start, first) if first else start, window.to_date),
                Window(window.from_date, min(window.from_date + LONGEST_WINDOW, today)),
            ):
                if not self._is_whole(answer) and wide != window:
                    self._note(ask(wide))
            if not self._is_whole(answer):
                raise IncompleteError(
                    f"GET /transaction {window}",
                    200,
                    message=f"whatever the page, no answer holds more than {answer[0]} rows, so this may be "
                    "the first transactions only, not all of the day",
                    advice="raise RECONCILE_PAGE_SIZE or choose a longer period; where that changes nothing, `limit` "
                    "is ignored too, and only transactions of further days can show that this day is whole: try "
                    "again then, and tell KS Pay's support that `page` is ignored",
                )

    def _note(self, answer: Size) -> None:
        rows, different = self._fullest
        self._fullest = max(rows, answer[0]), max(different, answer[1])

    def _is_whole(self, answer: Size) -> bool:
        rows, different = answer
        if rows == 0 or (rows == 1 and self._limit > 1):
            return True  # no listing is cut to a single row where more are asked for
        return rows < self._fullest[0] and different < self._fullest[1]
