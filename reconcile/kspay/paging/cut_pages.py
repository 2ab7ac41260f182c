"""Finds pages that the server cut short, so that the rest of their rows stands on no page."""

from reconcile.kspay.paging.page_source import PageSource
from reconcile.kspay.paging.seen_rows import SeenRows

_CONFIRMATIONS = 3
"""Times that the row behind a page is asked for again before it is believed that the page lacks it."""

_LOOKS = 4
"""Times that a page is looked at again which changes while one looks behind it. Rows of one instant, in a new order at
each request, change it always."""


def lacks_rows(
    source: PageSource, seen: SeenRows, number: int, keys: list[int], *, is_last: bool, rows_may_leave: bool
) -> bool | None:
    """Whether page `number`, which holds these keys, lacks a row that stands on one of the places behind its last row.

    None: the page has rows by now that were never seen, or the last page has more or fewer than before, so that the
    length that was measured says nothing about its end.

    A look that finds nothing new counts where the page is the same after it. Else rows may have moved meanwhile, and
    the row behind the page may be one that stood on it: as it is where pages beyond the last one are the last one
    again. Only an empty place is sure where rows cannot leave: what stood there before would have moved further down.
    """
    for _ in range(_LOOKS):
        behind = _row_behind(source, seen, number, keys, is_last=is_last)
        if behind is None and not rows_may_leave:
            return False
        now = source.keys(number)
        if behind is not None and behind not in keys and behind not in now:
            return True
        if set(now) == set(keys):
            return False
        if (is_last and len(now) != len(keys)) or not all(key in seen for key in now):
            return None
        keys = now
    return False


def _row_behind(
    source: PageSource, seen: SeenRows, number: int, keys: list[int], *, is_last: bool
) -> int | None:
    """The first row behind page `number` that stands on no page as far as is known, or else one of the page's own.

    None where there is neither. Where pages beyond the last one are the last one again, rows of one instant may take
    turns there: so a row that was not on the page must be the same one each time.
    """
    place = (number - 1) * source.limit + len(keys)  # rows in front of it
    end = place + 1 if is_last else number * source.limit
    while place < end:
        behind, page, size = _rows_from(source, place, len(keys))
        if not 0 < len(behind) <= size:
            return None
        if behind[0] in keys:
            return behind[0]
        # Behind the last page even a row that was seen shows that the listing goes on: it may have moved there.
        if is_last or behind[0] not in seen:
            again = (source.keys_if_accepted(page, size) or [] for _ in range(_CONFIRMATIONS))
            return behind[0] if all(rows[:1] == behind[:1] for rows in again) else keys[0]
        # Rows that were seen elsewhere may have moved to these places. The next place may hold one that was not.
        place += next((n for n, key in enumerate(behind) if key not in seen), len(behind))
    return None


def _rows_from(source: PageSource, place: int, most: int) -> tuple[list[int], int, int]:
    """The keys from this place on, and the page and its size that gave them; none if the server refuses all sizes.

    A page begins right there if its size divides the number of rows in front. No size above `most` is tried.
    """
    for size in (size for size in range(most, 0, -1) if place % size == 0):
        page = place // size + 1
        keys = source.keys_if_accepted(page, size)
        if keys is not None:
            return keys, page, size
    return [], 0, 0
