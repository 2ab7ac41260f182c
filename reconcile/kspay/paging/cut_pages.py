"""Finds pages that the server cut short, so that the rest of their rows stands on no page."""

from reconcile.kspay.paging.page_source import PageSource
from reconcile.kspay.paging.seen_rows import SeenRows

_CONFIRMATIONS = 3
"""So often the row behind a page is asked for again, before it is believed that the page lacks it."""


def lacks_rows(source: PageSource, seen: SeenRows, number: int, keys: list[int], *, is_last: bool) -> bool:
    """Whether page `number`, which holds these keys, lacks a row that stands on one of the places behind its last row.

    Where pages beyond the last one are the last one again, the row found is the last row, and rows of one instant may
    take turns there: so it must be the same row each time. A row that arrived meanwhile stands on the page by now.
    """
    place = (number - 1) * source.limit + len(keys)  # rows in front of it
    end = place + 1 if is_last else number * source.limit
    while place < end:
        behind, page, size = _rows_from(source, place, len(keys))
        if not 0 < len(behind) <= size or behind[0] in keys:
            return False
        # Behind the last page even a row that was seen shows that the listing goes on: it may have moved there.
        if is_last or behind[0] not in seen:
            return all(
                (source.keys_if_accepted(page, size) or [])[:1] == behind[:1] for _ in range(_CONFIRMATIONS)
            ) and behind[0] not in source.keys(number)
        # Rows that were seen elsewhere may have moved to these places. The next place may hold one that was not.
        place += next((n for n, key in enumerate(behind) if key not in seen), len(behind))
    return False


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
