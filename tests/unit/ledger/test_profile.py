"""Profiles that cannot be are refused in one line."""

import pytest

from reconcile.core.errors import UsageError
from reconcile.core.money import Currencies
from reconcile.ledger.open import open_ledgers
from reconcile.ledger.profile import Profile, read_profile


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("text", "must be a table"),
        ({"colums": {}}, "unknown key 'colums'"),
        ({"currency": "XBT"}, "not a known currency"),
        ({"currency": 5}, "must be a text"),
        ({"columns": {"id": "x"}}, "not a standard column"),
        ({"columns": {"ledger_id": "a", "reference": "A "}}, "one header twice"),
        ({"columns": {"amount": "a", "amount_in": "b", "amount_out": "c"}}, "either amount, or"),
        ({"columns": {"amount_in": "b"}}, "or neither"),
        ({"decimal": ";"}, "must be one of"),
        ({"decimal": ",", "thousands": ","}, "are both ','"),
        ({"date_format": "%d/%m"}, "must hold a day, a month and a year"),
        ({"date_format": "%Y-%d-%m"}, "contradicts ISO 8601"),
        ({"query": "select 1"}, "needs query and one of url"),
        ({"url": "sqlite://", "url_env": "X", "query": "select 1"}, "url and url_env are both set"),
    ],
)
def test_a_profile_that_cannot_be(table: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_profile("x", table, Currencies())


def test_a_profile_without_a_query_needs_a_file() -> None:
    with pytest.raises(UsageError, match="has no query"):
        open_ledgers([], Profile("tally"))
