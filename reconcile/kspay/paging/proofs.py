"""When is a window proven complete? Each proof is one function of the facts; docs/paging-proof.md says why it is sound.

The constants are the proofs' names: `WindowRecord.proof` and the report of a run repeat them.
"""

from collections.abc import Callable, Iterable

from reconcile.kspay.paging.facts import Facts

ONE_ANSWER = "one answer held it all"
COUNTED = "as many ids as listed rows"
TWO_READINGS = "two equal readings"
QUIET = "nothing new through many readings"
SETTLED = "as many ids as listed rows, unchanged through several readings"

EQUAL_READINGS = 2
"""Number of equal readings in a row that prove a listing without repeated rows."""

EQUAL_READINGS_IF_REPEATED = 12
"""Number of equal readings in a row that prove a listing that repeats rows: by chance, 1 in 4 ** 11 at most."""

QUIET_READINGS = 16
"""Number of readings in a row that must show nothing new after the one that did. In random order a reading misses a
given row with a chance of at most 1 / e, so all of them miss it with a chance of at most 1 in 8 million."""

Proof = tuple[str, Callable[[Facts], bool]]
"""The name of a proof, and whether it holds."""


def only_answer(facts: Facts) -> bool:
    """The first page is empty, or the server gives the first page whatever `page` is asked for."""
    return facts.empty_page == 1 or facts.first_page_is_all


def only_page(facts: Facts) -> bool:
    """The second page is empty, and no row can have moved from it to the first one meanwhile."""
    return facts.empty_page == 2 and not facts.rows_may_leave


def counted(facts: Facts) -> bool:
    """As many different rows were seen as the window holds. Asked right after measuring, where rows cannot leave."""
    return facts.distinct == facts.length


def equal_readings(facts: Facts) -> bool:
    """Whole readings in a row showed the same rows in the same order: two, or twelve where rows are repeated."""
    return facts.equal_readings >= (EQUAL_READINGS_IF_REPEATED if facts.repeats else EQUAL_READINGS)


def quiet(facts: Facts) -> bool:
    """Many readings in a row, all of one length, showed no row that is new and none that changed."""
    return facts.quiet_readings > QUIET_READINGS


def settled(facts: Facts) -> bool:
    """Readings page by page, all of one length and without a change, showed together as many rows as are listed."""
    return facts.steady_distinct == facts.length


BY_ONE_ANSWER: tuple[Proof, ...] = ((ONE_ANSWER, only_answer), (ONE_ANSWER, only_page))
"""What a single reading can prove."""
BY_COUNT: tuple[Proof, ...] = ((COUNTED, counted),)
"""What the length can prove, just measured."""
BY_READINGS: tuple[Proof, ...] = ((TWO_READINGS, equal_readings), (QUIET, quiet), (SETTLED, settled))
"""What several readings can prove together."""


def first_that_holds(proofs: Iterable[Proof], facts: Facts) -> str:
    """The name of the first proof that holds; "" where none does."""
    return next((name for name, holds in proofs if holds(facts)), "")
