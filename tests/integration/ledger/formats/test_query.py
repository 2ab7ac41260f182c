"""A ledger that is a query of a Postgres database."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from reconcile.core.errors import InputRefused
from reconcile.core.records import Entry, Rejection
from reconcile.ledger.open import open_query_ledger
from reconcile.ledger.passed_over import Kind
from reconcile.ledger.profile import Profile
from tests.support.ledgers import typed


def test_a_query_of_postgres_keeps_digits_and_zones(make_database: Callable[[], str]) -> None:
    url = make_database()
    profile = Profile(
        "shop",
        url=url,
        query="select 'L1' as ledger_id, 12345678901234567890.10::numeric as amount, 'INR' as currency,"
        " timestamptz '2026-08-01 23:30:00+00' as date union all"
        " select 'L2', 2.50, 'INR', null where '50%' = '50%' and ':x' <> ''",
    )
    first, second = typed(open_query_ledger(profile), profile)
    assert isinstance(first, Entry)
    assert (first.amount, first.dated_at) == (
        Decimal("12345678901234567890.10"),
        datetime(2026, 8, 1, 23, 30, tzinfo=UTC),
    )
    assert isinstance(second, Rejection)
    assert second.field == "date"
    writing = Profile("shop", url=url, query="create table t (a int)")
    with pytest.raises(InputRefused, match="the query cannot be read"):
        open_query_ledger(writing)


def test_lines_that_are_no_records_are_passed_over_in_a_query_too(make_database: Callable[[], str]) -> None:
    profile = Profile(
        "shop",
        url=make_database(),
        currency="INR",
        query="""
            select * from (
                values ('L1', 5.00, date '2026-08-01'), ('L2', 6, '2026-08-02'), ('L2', null, null),
                ('Total', 12, null), (null, 11, null), (null, 4, null)
            ) as rows (ledger_id, amount, date)""",
    )
    ledger = open_query_ledger(profile)
    for _ in range(2):  # an inspection reads it more than once
        assert [isinstance(one, Entry) for one in typed(ledger, profile)] == [True, True, False]
        assert ledger.passed_rows == [(3, Kind.FURTHER), (4, Kind.TOTAL), (5, Kind.TOTAL)]
        (says,) = ledger.notes()
        assert says.startswith(
            "[ledger.shop]: row 4 (Total) says 12 in amount, and the rows above it add up to 11.00"
        )
