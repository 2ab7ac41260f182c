"""What a server gives for pages beyond the end of a listing, and whether it honours `page` at all."""

from reconcile.kspay.paging.page_source import PageSource

FAR_PAGE = 1_000_000
"""A page beyond the end of every listing. What it holds shows whether `page` is honoured."""

COMPARISONS = 12
"""Times that the first page is compared with one far beyond the end."""

SAME_ANSWERS = 4
"""Number of equal answers that show what a page far beyond the end holds, …"""

EXTRA_ANSWERS_ROWS = 24
"""… and one more for each time that its rows go into this number: few rows are equal by chance more easily."""


class EndProbe:
    """Looks far beyond the end of one window's listing."""

    def __init__(self, source: PageSource) -> None:
        self._source = source
        self.is_empty = False
        """Whether a page far beyond the end was seen to be empty, so that `page` is honoured."""

    def far_keys(self) -> list[int]:
        """The keys of a page far beyond the end."""
        far = self._source.keys(FAR_PAGE)
        self.is_empty = self.is_empty or not far
        return far

    def is_page_ignored(self, first: set[int], rows: int) -> bool | None:
        """Whether every page is the first one, which has these keys and so many rows; None: not known."""
        far = set(self.far_keys())
        if not far:
            return False
        if far != first:
            return None if first.isdisjoint(far) else not self._first_page_differs(first, far)
        # Every page is the first one, unless there is only one page, and every page beyond the last
        # is the last. Then the second page has one row if the limit is one less than the first page has.
        if rows > 2:
            return len(self._source.keys_by_limit(2, rows - 1)) != 1
        return rows < 2 or not self._are_two_pages_of_one()

    def _first_page_differs(self, first: set[int], far: set[int]) -> bool:
        """Whether the first page always shows a row that the page far beyond the end never does, or more rows.

        Where `page` is ignored, both are the same listing. Then a row that is only sometimes on it was by turns
        there and not there through all these answers with a chance of at most 1 in 4 ** COMPARISONS.
        """
        always = set(first)
        sizes = set[tuple[int, int]]()
        for _ in range(COMPARISONS):
            first_page, far_page = self._source.keys(1), self._source.keys(FAR_PAGE)
            always &= set(first_page)
            far |= set(far_page)
            sizes.add((len(first_page), len(far_page)))
        return not always <= far or (len(sizes) == 1 and all(on_first > on_far for on_first, on_far in sizes))

    def _are_two_pages_of_one(self) -> bool:
        """Whether two rows, with limit 1, are two pages: always one on the first, the other on the second.

        Where `page` is ignored both pages show the same row, or one of the two by chance, in an order that
        is new each time.
        """
        seen = {
            (*self._source.keys_by_limit(1, 1), *self._source.keys_by_limit(2, 1)) for _ in range(COMPARISONS)
        }
        return len(seen) == 1 and all(len(pair) == len(set(pair)) == 2 for pair in seen)

    def is_always(self, keys: list[int]) -> bool:
        """Whether these very rows are the answer to a page far beyond the end, and not by chance.

        Of rows of one instant that come in a new order each time, a page may show the same ones twice
        although it is not the last: the fewer they are, the more answers must be equal.
        """
        answers = SAME_ANSWERS + EXTRA_ANSWERS_ROWS // len(keys)
        return all(set(self._source.keys(FAR_PAGE)) == set(keys) for _ in range(answers))
