"""What no single record shows: a day that is missing, a volume far off, a new currency, two books of two merchants."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, Engine, text

from reconcile.core.money import Currencies
from reconcile.core.progress import silent
from reconcile.core.records import Period
from reconcile.match.engine import match
from reconcile.match.policy import state_policy
from reconcile.settings import Settings
from reconcile.validate.dataset_rules import read_period, validate_period, validate_results
from reconcile.validate.validator import Validator
from tests.oracle import E, T
from tests.support.arrivals import arrive, record_run

APP = "ap_1"
FIRST = date(2026, 8, 1)
PERIOD = Period(date(2026, 8, 10), date(2026, 8, 12))
MIDDAY = timedelta(hours=6, minutes=30)  # noon in India


@pytest.fixture(scope="module")
def shared() -> Validator:
    return Validator(Currencies())


@pytest.fixture
def validator(shared: Validator) -> Validator:
    for suite in ("transactions", "entries", "results"):
        shared.restart(suite)
    return shared


@pytest.fixture
def connection(fresh_engine: Engine) -> Iterator[Connection]:
    """Whatever is loaded is gone afterwards."""
    with fresh_engine.connect() as connection:
        yield connection
        connection.rollback()


def paid(day: date, number: int, currency: str = "INR") -> T:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + MIDDAY
    return T(f"tx_{day:%d}_{number}", APP, f"R{day:%d}-{number}", currency, Decimal(100), "paid", at)


def booked(day: date, number: int, reference: str, currency: str = "INR") -> E:
    return E("default", f"L_{day:%d}_{number}", APP, reference, currency, Decimal(100), "paid", day)


def days(counts: Sequence[int]) -> list[T]:
    """So many transactions a day from FIRST on."""
    return [paid(FIRST + timedelta(days=back), n) for back, count in enumerate(counts) for n in range(count)]


def warned(
    connection: Connection, validator: Validator, transactions: Sequence[T], entries: Sequence[E] = ()
) -> list[str]:
    arrive(connection, transactions, entries, (APP,), datetime(2026, 9, 1, tzinfo=UTC))
    connection.execute(text("discard temp"))
    state_policy(connection, Settings(), (APP,))
    validate_period(validator, PERIOD, read_period(connection, PERIOD), Settings().currencies)
    return validator.warnings()


def test_usual_days_are_no_news(connection: Connection, validator: Validator) -> None:
    assert warned(connection, validator, days([100] * 12)) == []


def test_a_day_without_data_after_days_of_thousands(connection: Connection, validator: Validator) -> None:
    (line,) = warned(connection, validator, days([1000] * 9 + [1000, 0, 1000]))
    assert line == "transactions: ap_1 2026-08-11: 0 records, where 1,000 are usual (day_not_empty)"


@pytest.mark.parametrize("count", [19, 501])
def test_a_volume_far_off_the_usual(connection: Connection, validator: Validator, count: int) -> None:
    (line,) = warned(connection, validator, days([100] * 10 + [count, 100]))
    assert line == f"transactions: ap_1 2026-08-11: {count} records, where 100 are usual (volume_usual)"


@pytest.mark.parametrize("count", [20, 500])
def test_a_volume_just_not_far_off(connection: Connection, validator: Validator, count: int) -> None:
    assert warned(connection, validator, days([100] * 10 + [count, 100])) == []


def test_a_currency_never_seen_on_either_side(connection: Connection, validator: Validator) -> None:
    lines = warned(
        connection,
        validator,
        [paid(FIRST, 1), paid(FIRST, 2, "USD"), paid(PERIOD.first, 3, "USD"), paid(PERIOD.first, 4, "KWD")],
        [booked(FIRST, 1, "R01-1"), booked(PERIOD.last, 2, "R", "JPY")],
    )
    assert lines == [
        "transactions: ap_1 KWD: was never seen before 2026-08-10 (currency_seen_before)",
        "entries: ap_1 JPY: was never seen before 2026-08-12 (currency_seen_before)",
    ]


def test_the_currencies_of_a_first_period_are_no_news(connection: Connection, validator: Validator) -> None:
    assert warned(connection, validator, [paid(PERIOD.first, 1), paid(PERIOD.first, 2, "USD")]) == []


@pytest.mark.parametrize(("common", "warns"), [(9, True), (10, False)])
def test_two_books_with_nothing_in_common(
    connection: Connection, validator: Validator, common: int, warns: bool
) -> None:
    transactions = [paid(PERIOD.first, n) for n in range(100)]
    entries = [
        booked(PERIOD.first, n, transactions[n].reference or "" if n < common else f"other {n}")
        for n in range(100)
    ]
    arrive(connection, transactions, entries, (APP,), datetime(2026, 9, 1, tzinfo=UTC))
    connection.execute(text("discard temp"))
    record_run(connection, "run", (APP,), PERIOD, "running")
    matched = match(connection, Settings(), "run", (APP,), PERIOD, silent)
    validate_results(connection, validator, "run", matched.checks)
    lines = validator.warnings()
    if warns:
        assert lines == [
            f"results: run: {common} transactions match, of 100 transactions and 100 entries paid (something_matches)"
        ]
    else:
        assert lines == []
