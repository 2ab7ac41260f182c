"""When a window is proven complete: each proof, and what it needs."""

from dataclasses import replace

import pytest

from reconcile.kspay.paging.facts import Comparison, Facts
from reconcile.kspay.paging.proofs import (
    BY_COUNT,
    BY_ONE_ANSWER,
    BY_READINGS,
    COUNTED,
    EQUAL_READINGS_IF_REPEATED,
    ONE_ANSWER,
    QUIET,
    QUIET_READINGS,
    SETTLED,
    TWO_READINGS,
    Proof,
    first_that_holds,
)

NOTHING = Facts(
    distinct=9,
    length=10,
    rows_may_leave=True,
    empty_page=0,
    first_page_is_all=False,
    repeats=0,
    equal_readings=1,
    quiet_readings=1,
    steady_distinct=None,
)


@pytest.mark.parametrize("proofs", [BY_ONE_ANSWER, BY_COUNT, BY_READINGS])
def test_nothing_known_proves_nothing(proofs: tuple[Proof, ...]) -> None:
    assert first_that_holds(proofs, NOTHING) == ""


def test_one_answer() -> None:
    def proof(**known: object) -> str:
        return first_that_holds(BY_ONE_ANSWER, replace(NOTHING, **known))  # type: ignore[arg-type]

    assert proof(empty_page=1) == ONE_ANSWER
    assert proof(first_page_is_all=True) == ONE_ANSWER
    assert proof(empty_page=2, rows_may_leave=False) == ONE_ANSWER
    assert proof(empty_page=2) == "", "its rows may have moved to the first page"
    assert proof(empty_page=3, rows_may_leave=False) == ""


@pytest.mark.parametrize(("distinct", "expected"), [(9, ""), (10, COUNTED), (11, "")])
def test_counted(distinct: int, expected: str) -> None:
    assert first_that_holds(BY_COUNT, replace(NOTHING, distinct=distinct)) == expected


@pytest.mark.parametrize(
    ("equal", "repeats", "expected"),
    [
        (2, 0, TWO_READINGS),
        (2, 1, ""),
        (EQUAL_READINGS_IF_REPEATED - 1, 1, ""),
        (EQUAL_READINGS_IF_REPEATED, 1, TWO_READINGS),
    ],
)
def test_equal_readings(equal: int, repeats: int, expected: str) -> None:
    facts = replace(NOTHING, equal_readings=equal, repeats=repeats)
    assert first_that_holds(BY_READINGS, facts) == expected


def test_quiet_and_settled() -> None:
    assert first_that_holds(BY_READINGS, replace(NOTHING, quiet_readings=QUIET_READINGS)) == ""
    assert first_that_holds(BY_READINGS, replace(NOTHING, quiet_readings=QUIET_READINGS + 1)) == QUIET
    assert first_that_holds(BY_READINGS, replace(NOTHING, steady_distinct=9)) == ""
    assert first_that_holds(BY_READINGS, replace(NOTHING, steady_distinct=10)) == SETTLED


def test_readings_are_compared_in_a_row() -> None:
    compared = Comparison()
    for is_equal, is_quiet, length, expected in (
        (False, False, 10, (1, 1)),
        (True, True, 10, (2, 2)),
        (True, True, 10, (3, 3)),
        (False, True, 10, (1, 4)),
        (True, True, 11, (2, 1)),  # of another length
        (True, False, 11, (3, 1)),
    ):
        compared.add(is_equal=is_equal, is_quiet=is_quiet, length=length)
        assert (compared.equal, compared.quiet) == expected
    compared.restart()
    assert (compared.equal, compared.quiet) == (1, 0)
