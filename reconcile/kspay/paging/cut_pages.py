"""Finds pages that the server cut short, so that the rest of their rows stands on no page."""

from reconcile.kspay.paging.page_source import PageSource
from reconcile.kspay.paging.seen_rows import SeenRows

_CONFIRMATIONS = 3
"""So often the row behind a page is asked for again, before it is believed that the page lacks it."""


def lacks_rows(source: PageSource, seen: SeenRows, number: int, keys: list[int], *, is_last: bool) -> bool:
    """Whether page `number`, which holds these keys, lacks the row that stands right behind its last one.

    That place is asked for as the first row of a smaller page: a page of `size` rows begins there where `size` divides
    the number of rows in front. Where pages beyond the last one are the last one again, the row found is the last row,
    and rows of one instant may take turns there: so it must be the same row each time. A row that arrived meanwhile
    stands on the page by now.
    """
    offset = (number - 1) * source.limit + len(keys)
    for size in (size for size in range(len(keys), 0, -1) if offset % size == 0):
        page = offset // size + 1
        behind = source.keys_if_accepted(page, size)
        if behind is None:
            continue
        return (
            0 < len(behind) <= size
            and behind[0] not in keys
            # Behind the last page even a row that was seen shows that the listing goes on: it may have moved there.
            and (is_last or behind[0] not in seen)
            and all(
                (source.keys_if_accepted(page, size) or [])[:1] == behind[:1] for _ in range(_CONFIRMATIONS)
            )
            and behind[0] not in source.keys(number)
        )
    return False  # The server refuses all such pages, so nothing can be found out.
