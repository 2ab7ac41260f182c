"""What a server gives for pages beyond the end of a listing, and whether it honours `page` at all."""

from collections.abc import Callable

ROWS_BEYOND_CHANCE = 24
"""A page beyond the end is asked for four times, and once more for each time that its rows go into these."""

FIRST_PAGES = 12
"""So often is the first page compared with one far beyond the end."""

FAR_PAGE = 1_000_000
"""Beyond every listing: what it holds tells whether `page` is honoured."""


class Beyond:
    """Looks far beyond the end. `ask` gives the keys of the rows of a page."""

    def __init__(self, ask: Callable[[int], list[int]]) -> None:
        self._ask = ask
        self.is_empty = False
        """Whether a page far beyond the end was seen to be empty, so that `page` is honoured."""

    def look(self) -> list[int]:
        """The keys of a page far beyond the end."""
        far = self._ask(FAR_PAGE)
        self.is_empty = self.is_empty or not far
        return far

    def is_page_ignored(
        self, first: set[int], rows: int, keys_by_limit: Callable[[int, int], list[int]]
    ) -> bool | None:
        """Whether every page is the first one, which has these keys and so many rows; None: not known.

        `keys_by_limit` gives the keys of a page where another limit is asked for.
        """
        far = set(self.look())
        if not far:
            return False
        if far != first:
            return None if first.isdisjoint(far) else not self._first_page_differs(first, far)
        # The first page it is, whatever is asked for; unless there is only one, and every page beyond
        # the last is the last. Then the second page has one row if one fewer fits into the first.
        if rows > 2:
            return len(keys_by_limit(2, rows - 1)) != 1
        return rows < 2 or not _two_pages_of_one(keys_by_limit)

    def _first_page_differs(self, first: set[int], far: set[int]) -> bool:
        """Whether the first page always shows a row that the page far beyond the end never does, or more rows.

        Where `page` is ignored, both are the same listing: a row that is only sometimes on it was by turns
        there and not there through all these answers with a chance of at most 1 in 4 ** FIRST_PAGES.
        """
        always = set(first)
        sizes = set[tuple[int, int]]()
        for _ in range(FIRST_PAGES):
            here, beyond = self._ask(1), self._ask(FAR_PAGE)
            always &= set(here)
            far |= set(beyond)
            sizes.add((len(here), len(beyond)))
        return not always <= far or (len(sizes) == 1 and all(here > there for here, there in sizes))

    def is_always(self, keys: list[int]) -> bool:
        """Whether these very rows are the answer to a page far beyond the end, and not by chance.

        Of rows of one instant that come in a new order each time, a page may show the same ones twice
        although it is not the last: the fewer they are, the more answers must be equal.
        """
        times = 4 + ROWS_BEYOND_CHANCE // len(keys)
        return all(set(self._ask(FAR_PAGE)) == set(keys) for _ in range(times))


def _two_pages_of_one(keys_by_limit: Callable[[int, int], list[int]]) -> bool:
    """Whether two rows, asked for one by one, are two pages: always one on the first, the other on the second.

    Where `page` is ignored both pages show the same row, or by chance, in an order that is new each time,
    now the one and now the other.
    """
    seen = {(*keys_by_limit(1, 1), *keys_by_limit(2, 1)) for _ in range(FIRST_PAGES)}
    return len(seen) == 1 and all(len(pair) == len(set(pair)) == 2 for pair in seen)
